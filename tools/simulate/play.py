"""Play one seed: a world of workers, phones, a server and faults; then heal it, and judge.

Two phases. In the first everything goes wrong that this seed has drawn. Then all faults end, and within a bounded
time every outbox must be empty, every replica equal to the log, and every promise kept.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog import driver, projection
from gridlog.entries import Enrolled, pack_enrolled
from gridlog_protocol.canonical import pack
from gridlog_protocol.ids import (
    TENANT_SCOPE,
    DeviceHandle,
    DeviceId,
    Epoch,
    RecordId,
    ScopeId,
    TenantId,
    UserId,
    record_id,
)
from gridlog_protocol.kinds import KindSet, shipped_kinds
from gridlog_protocol.state import RecordState
from gridlog_protocol.state_codec import unpack_record
from gridlog_server.service import pulling
from gridlog_server.service.importing import Given
from gridlog_server.service.keys import ServerKeys
from gridlog_server.store.contract import Device, Person
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync import pacing
from gridlog_sync.rules import Severity
from gridlog_sync.testing.clocks import PhoneClock
from gridlog_sync.testing.dice import is_so
from gridlog_sync.testing.disk import Disk, Fate
from gridlog_sync.testing.network import Leg, Network
from gridlog_sync.testing.oracle import ToldConflict, fold_log
from gridlog_sync.testing.timekeeping import findings_in_estimates
from gridlog_sync.testing.verdict import ReplicaRecord, findings_in_log, findings_in_replica
from gridlog_sync.testing.witness import Witness, act_of
from gridlog_sync.testing.world import EndlessWorldError, World
from gridlog_sync.view import conflicts_of, values_of
from tools.dice import dice
from tools.simulate import forms, swarm
from tools.simulate.handheld import DeviceKeys
from tools.simulate.inspection import findings_at
from tools.simulate.office import Backup, Office
from tools.simulate.plain_envelope import plain_envelopes
from tools.simulate.replacing import replaced
from tools.simulate.worker import PromiseError, Surroundings, Worker

START_MS = 1_795_000_000_000
TENANCY = Tenancy.new(TenantId("420106"), "武昌区", Epoch(b"epoch-01"))
GRIDS = tuple(ScopeId(f"4201060010010{number}") for number in range(1, 4))
STEPS_MAX = 20_000
CHAOS_MS = 600_000
ROUND_MS = 30_000
ROUNDS_MAX = 12
COURIERS_MS = 310_000
_RESTORED = 0.25
"""The share of worlds in which the server is restored from a backup, of those in which no phone's store is copied.

Not both, for the reason that `swarm` gives: a copy that renumbered, and another that did not, offer the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one seed ended: what was found, none if all is well; and the hash of all that happened."""

    seed: int
    findings: tuple[str, ...]
    trace_hash: str
    acts: int
    entries: int
    steps: int


@cache
def _server_keys() -> ServerKeys:
    return ServerKeys(
        Ed25519PrivateKey.from_private_bytes(bytes([200]) * 32),
        X25519PrivateKey.from_private_bytes(bytes([201]) * 32),
    )


@cache
def _device_keys(number: int) -> DeviceKeys:
    raw = bytes([number + 1])
    return DeviceKeys(
        DeviceId(raw * 16),
        Ed25519PrivateKey.from_private_bytes(raw * 32),
        X25519PrivateKey.from_private_bytes(raw * 32),
    )


@cache
def _kinds() -> KindSet:
    """Return the shipped kinds, two of those that are written here made urgent."""
    kinds = shipped_kinds()
    for name in ("household_visit", "household"):
        kind = kinds.get(name)
        assert kind is not None
        kinds = kinds.with_kind(replace(kind, is_urgent=True))
    return kinds


def play(seed: int, listener: Callable[[str], None] | None = None) -> Outcome:
    """Play one seed to its end."""
    game = Game(seed, listener)
    with ExitStack() as stack:
        stack.enter_context(plain_envelopes())
        pages = game.swarm.pages
        stack.enter_context(replaced(pulling, "_TOUCHES_MAX", pages.touches_max))
        stack.enter_context(replaced(pulling, "_PAGE_RECORDS", pages.page_records))
        stack.enter_context(replaced(pulling, "PAGE_BYTES", pages.page_bytes))
        for name, size in (("START_BYTES", pages.start_bytes), ("FLOOR_BYTES", 1), ("CAP_BYTES", pages.batch_bytes)):
            stack.enter_context(replaced(pacing, name, size))
        # Two pure functions that are slow, and asked the same again and again.
        stack.enter_context(replaced(driver, "version", lambda _: "0.0.0"))
        stack.enter_context(replaced(projection, "unpack_record", lru_cache(4096)(unpack_record)))
        findings = game.played()
    world = game.world
    for each in findings:
        world.note("FOUND", each)
    return Outcome(
        seed,
        tuple(findings),
        world.trace_hash,
        len(game.witness.acts),
        len(game.office.store.tables.entries),
        world.steps,
    )


class Game:
    """One world and everybody in it."""

    def __init__(self, seed: int, listener: Callable[[str], None] | None) -> None:
        self.swarm = swarm.drawn(dice(seed, "swarm"))
        self._dice = dice(seed, "plan")
        self.world = World(START_MS, steps_max=STEPS_MAX, grain_ms=self.swarm.grain_ms, listener=listener)
        self.witness = Witness()
        self.network = Network(self.world, dice(seed, "network"), self.swarm.network)
        self.office = Office(
            self.world,
            dice(seed, "office"),
            self.swarm.office,
            tenancy=TENANCY,
            keys=_server_keys(),
            kinds=_kinds(),
            witness=self.witness,
        )
        around = Surroundings(self.world, self.network, self.office, self.witness, _kinds(), GRIDS)
        self._around = around
        self._disk_dice = dice(seed, "disk")
        # Dice of its own: worlds without a restore play as they did before there was any.
        self._restore_dice = dice(seed, "restore")
        self._is_healed = False
        self.workers = [
            self._enrolled(number, dice(seed, "worker", str(number))) for number in range(self.swarm.devices)
        ]
        self._copies: dict[str, bytes] = {}
        self.world.note("seed", seed, self.swarm)

    def played(self) -> list[str]:
        """Play both phases, and return what was found."""
        try:
            self._plan()
            self.world.run(START_MS + CHAOS_MS)
            self._heal()
            rounds = self._settle()
        except (PromiseError, EndlessWorldError) as broken:
            return [str(broken)]
        except Exception as crash:  # noqa: BLE001 - a crash of the production code is a finding like any other.
            return [f"crash: {crash!r}", *traceback.format_exc().splitlines()[-12:]]
        return self._judged(rounds)

    def _plan(self) -> None:
        for worker in self.workers:
            for _ in range(self.swarm.acts // len(self.workers) + 1):
                at_ms = self._dice.randint(0, CHAOS_MS)
                self.world.after(-(-at_ms // self.swarm.beat_ms) * self.swarm.beat_ms, worker.act)
            self._plan_rounds(worker)
        self._plan_office()
        for _ in range(self.swarm.reviews):
            self.world.after(self._dice.randint(0, CHAOS_MS), self.office.review)
        for _ in range(self.swarm.rollbacks):
            self._plan_copy(self._come_back)
        for _ in range(self.swarm.clones):
            self._plan_copy(self._clone)
        self._plan_restores()

    def _plan_rounds(self, worker: Worker) -> None:
        every_ms = self._dice.choice((20_000, 45_000, 120_000))
        at_ms = self._dice.randint(0, every_ms) + self._dice.randint(0, self.swarm.joining_ms_max)
        while at_ms < CHAOS_MS:
            self.world.after(at_ms, partial(self._synchronise, worker))
            at_ms += self._dice.randint(every_ms // 2, 2 * every_ms)

    def _synchronise(self, worker: Worker) -> None:
        if is_so(self._dice, self.swarm.partition):
            leg = self._dice.choice((Leg.UP, Leg.DOWN))
            self.network.cut(worker.name, leg)
            self.world.after(self._dice.randint(1000, 120_000), partial(self.network.mend, worker.name, leg))
        if is_so(self._dice, self.swarm.clock_step):
            worker.clock.set_by_hand(self._dice)
        worker.synchronise()

    def _plan_office(self) -> None:
        for number in range(self._dice.randint(0, 3)):
            given = Given(
                record_id(START_MS + number, bytes([number]) * 10),
                "household",
                forms.household(number, self._dice.choice(GRIDS)),
            )
            self.world.after(self._dice.randint(0, CHAOS_MS // 2), partial(self.office.write, [given]))

    def _plan_copy(self, then: Callable[[Worker], None]) -> None:
        worker = self._dice.choice(self.workers)
        copied_ms = self._dice.randint(0, CHAOS_MS // 2)
        self.world.after(copied_ms, lambda: self._copy(worker))
        self.world.after(self._dice.randint(copied_ms, CHAOS_MS), lambda: then(worker))

    def _plan_restores(self) -> None:
        """Plan that the server loses its database now and then, and goes on with a backup, not always the newest."""
        dice = self._restore_dice
        if not is_so(dice, _RESTORED) or self.swarm.rollbacks or self.swarm.clones:
            return
        backups = [self.office.backup()]
        at_ms = sorted(dice.randint(0, CHAOS_MS) for _ in range(dice.randint(1, 3)))
        for each in at_ms:
            self.world.after(each, lambda: backups.append(self.office.backup()))
        for _ in range(dice.randint(1, 2)):
            epoch = Epoch(dice.randbytes(8))
            after_ms = dice.randint(at_ms[0], CHAOS_MS)
            self.world.after(after_ms, partial(self._restore, backups, epoch))

    def _restore(self, backups: Sequence[Backup], epoch: Epoch) -> None:
        self.office.restore(self._restore_dice.choice(backups[-2:]), epoch)
        lost = self.witness.lost
        kept = (each for worker in self.workers for each in worker.store.memory.kept.accepted())
        told = ((act_of(written.op), int(stamp)) for written, stamp in kept)
        # What was held after an earlier restore, and released, had a new stamp from then on.
        still = {act: stamp for act, stamp in self.witness.told.items() if lost.get(act, stamp) == stamp}
        self.witness.told = still | {act: stamp for act, stamp in told if lost.get(act) == stamp}

    def _copy(self, worker: Worker) -> None:
        self.world.note(worker.name, "is copied")
        self._copies[worker.name] = worker.disk.copied()

    def _come_back(self, worker: Worker) -> None:
        gone = worker.waiting()
        worker.put_back(self._copies[worker.name])
        # What waited on other copies of this store is still there.
        elsewhere = {act for other in self.workers for act in other.waiting()}
        self.witness.forgotten |= gone - elsewhere

    def _clone(self, worker: Worker) -> None:
        self.world.note(worker.name, "gets a twin")
        twin = worker.twin(self._copies[worker.name], self._fate)
        self.workers.append(twin)
        for _ in range(4):
            self.world.after(self._dice.randint(0, CHAOS_MS // 3), partial(self._unless_healed, twin.act))
            self.world.after(self._dice.randint(0, CHAOS_MS // 3), partial(self._unless_healed, twin.synchronise))

    def _unless_healed(self, act: Callable[[], None]) -> None:
        if not self._is_healed:
            act()

    def _heal(self) -> None:
        self.world.note("all faults end")
        self._is_healed = True
        self.network.heal()
        self.office.heal()
        self.world.run(self.world.now_ms + COURIERS_MS)
        for worker in self.workers:
            worker.finish()

    def _settle(self) -> int:
        """Let everybody synchronise until nothing changes, and return after how many rounds."""
        for number in range(ROUNDS_MAX):
            before = (len(self.office.store.tables.ops), [worker.position for worker in self.workers])
            for worker in self.workers:
                worker.refusals.clear()
                self.world.after(0, worker.synchronise)
            self.world.run(self.world.now_ms + ROUND_MS)
            after = (len(self.office.store.tables.ops), [worker.position for worker in self.workers])
            if after == before and not any(worker.waiting() for worker in self.workers):
                return number
        return ROUNDS_MAX

    def _judged(self, rounds: int) -> list[str]:
        lines = self.office.lines()
        held = self.office.held()
        folded = fold_log(lines, _kinds())
        found = [*findings_in_log(lines, [each.op.id for each in held], self.office.positions_without_effect())]
        states = {record: each.state for record, each in self.office.store.tables.records.items()}
        found += findings_in_replica("server", _seen_whole(states), folded, None)
        for worker in self.workers:
            found += findings_in_replica(worker.name, _seen_whole(worker.replica(folded)), folded, worker.held_scopes)
            found += findings_at(worker, self.office, self.world.now_ms)
        if rounds == ROUNDS_MAX:
            found.append(f"not settled after {rounds} rounds")
        waiting = {act for worker in self.workers for act in worker.waiting()}
        saved = {act for worker in self.workers for act in worker.saved}
        found += self.witness.findings(lines, [each.op for each in held], waiting, saved)
        found += self.witness.lost_writes(lines, folded)
        found += findings_in_estimates(self.office.dated(), self.witness.acts)
        return found

    def _fate(self) -> Fate:
        if self._is_healed:
            return Fate.DONE
        if is_so(self._disk_dice, self.swarm.power_cut):
            return Fate.POWER_CUT
        return Fate.NO_SPACE if is_so(self._disk_dice, self.swarm.no_space) else Fate.DONE

    def _enrolled(self, number: int, own_dice: Random) -> Worker:
        keys = _device_keys(number)
        user, handle = UserId(bytes([number + 101]) * 16), DeviceHandle(bytes([number + 1]) * 8)
        grids = (
            {GRIDS[0], own_dice.choice(GRIDS)} if number < 2 else {*own_dice.sample(GRIDS, own_dice.randint(1, 2))}
        )
        scopes = (TENANT_SCOPE, *sorted(grids))
        tables = self.office.store.tables
        name = f"w{number}"
        tables.people[user] = Person(user, name, name, "active", frozenset(grids))
        signing, exchange = (
            keys.signing.public_key().public_bytes_raw(),
            keys.exchange.public_key().public_bytes_raw(),
        )
        tables.devices[handle] = Device(
            keys.id, handle, user, signing, exchange, "", "", "active", 0, START_MS + number, START_MS
        )
        enrolled = Enrolled(
            "https://grid.example.com",
            *_server_keys().public,
            handle,
            TENANCY.tenant,
            TENANCY.name,
            user,
            name,
            TENANCY.epoch,
            scopes,
            1,
            START_MS,
            b"",
        )
        empty = Disk(own_dice, lambda: Fate.DONE)
        for chunk in (pack([[0, own_dice.randbytes(8)]]), pack([[3, pack_enrolled(enrolled)]])):
            empty.write(chunk)
            empty.sync()
        return Worker(
            name,
            self._around,
            own_dice,
            keys=keys,
            user=user,
            scopes=scopes,
            clock=PhoneClock.drawn(own_dice, START_MS, is_wrong=self.swarm.are_clocks_wrong),
            content=empty.copied(),
            fate=self._fate,
            creation=self.swarm.creation,
            proposals=self.swarm.proposals,
            is_liar=self.swarm.has_liar and number == 1,
        )


def _seen_whole(states: dict[RecordId, RecordState]) -> dict[RecordId, ReplicaRecord]:
    kinds = _kinds()
    whole: dict[RecordId, ReplicaRecord] = {}
    for record, state in states.items():
        kind = kinds.get(state.kind)
        told = {
            ToldConflict(
                each.field,
                each.key,
                is_hard=each.severity is Severity.HARD,
                unseen=frozenset((work.field, work.key, work.head.op) for work in each.unseen),
            )
            for each in conflicts_of(state, kind)
        }
        whole[record] = ReplicaRecord(state, values_of(state, kind), frozenset(told))
    return whole
