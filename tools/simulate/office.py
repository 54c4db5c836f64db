"""The server of the world: the production exchange and import over the store in memory, and its bad days."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from gridlog_protocol.epochs import Epochs, EpochStart
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import Epoch, OpId, Position
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.log_chain import EntryType
from gridlog_server.service.deciding import Deciding, DecisionError, name_of
from gridlog_server.service.exchange import Exchange
from gridlog_server.service.importing import Given, Importing
from gridlog_server.service.keys import ServerKeys
from gridlog_server.store.contract import LogHead, StoredOp, StoreUnavailableError
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.testing.dice import Dice, is_so
from gridlog_sync.testing.oracle import LogLine
from gridlog_sync.testing.timekeeping import Dated, Sending
from gridlog_sync.testing.witness import ActId, Witness, act_of
from gridlog_sync.testing.world import World
from tools.simulate.coroutines import Reply, Running
from tools.simulate.memory_store import CommitFate, MemoryStore, ServerDiedError
from tools.simulate.memory_tables import Tables
from tools.simulate.swarm import OfficeFaults

PROBLEM = b"problem "
"""Leads a refusal in the clear, in place of an HTTP status."""
_DOWN_MS_MAX = 40_000
_EFFECTIVE = (EntryType.ACCEPTED, EntryType.RELEASED)
_RELEASED = 0.65
"""The share of decisions that are releases."""


@dataclass(frozen=True, slots=True)
class Backup:
    """The database as it stood."""

    tables: Tables
    epochs: Epochs
    served: Mapping[ActId, int]
    """See Witness: what was accepted when is part of a life, too."""


class Office:
    """One server process after another over one database."""

    def __init__(
        self,
        world: World,
        dice: Dice,
        faults: OfficeFaults,
        *,
        tenancy: Tenancy,
        keys: ServerKeys,
        kinds: KindSet,
        witness: Witness,
    ) -> None:
        self._world = world
        self._dice = dice
        self.faults = faults
        self._witness = witness
        self.store = MemoryStore(tenancy, pause=self._pause, fate=self._fate, committed=self._note_new)
        self._exchange = Exchange(self.store, keys, kinds, self._now_ms)
        self._importing = Importing(self.store, kinds, now_ms=self._now_ms, entropy=dice.randbytes)
        self._deciding = Deciding(self.store, kinds, now_ms=self._now_ms)
        self._is_down = False
        self._serving: dict[Running, tuple[Position, Sending | None]] = {}
        self._dated: dict[OpId, Dated] = {}
        self._current: Running | None = None
        self._accepted_ms: dict[int, int] = {}
        self._acts: dict[OpId, ActId] = {}
        self._ops_known = 0

    def receive(self, raw: bytes, served: Position, sending: Sending, answer: Callable[[bytes], None]) -> None:
        """Take a request. `served` is the position that its sender stands at."""
        self._serve(self._answer(raw, answer), served, sending)

    def write(self, given: Sequence[Given]) -> None:
        """Bring in records from a file."""
        self._serve(self._write(given), Position(0), None)

    def review(self) -> None:
        """Let a supervisor decide about one of the ops that are held."""
        waiting = [each.op.id for each in self.store.tables.ops.values() if each.is_waiting]
        if waiting:
            self._serve(self._decide(self._dice.choice(waiting), self._dice.random() < _RELEASED), Position(0), None)

    def backup(self) -> Backup:
        """Take a backup of the database."""
        self._world.note("backup at", len(self.store.tables.log))
        return Backup(self.store.tables, self.store.tenancy.epochs, dict(self._witness.served))

    def restore(self, backup: Backup, epoch: Epoch) -> None:
        """Lose the database, and go on with a backup under a new epoch."""
        log = backup.tables.log
        self._world.note("restored from", len(log), "of", len(self.store.tables.log))
        lost = [op for op in self.store.tables.ops if op not in backup.tables.ops]
        # What was lost is served, accepted and dated anew.
        for op in lost:
            stamp = self.store.tables.ops[op].stamp
            self._dated.pop(op, None)
            act = self._acts.get(op)
            if act is not None:
                self._witness.served.pop(act, None)
                if stamp is not None:
                    self._witness.forgot(act, int(stamp))
        self._witness.served |= backup.served
        tenancy = replace(self.store.tenancy, epochs=backup.epochs)
        fork = log[-1] if log else LogHead(Position(0), tenancy.log_start)
        began = EpochStart(epoch, fork.position, fork.hash)
        self.store.tenancy = replace(tenancy, epochs=(*tenancy.epochs, began))
        self.store.tables = backup.tables.copied()
        for place in [each for each in self._accepted_ms if each > fork.position]:
            del self._accepted_ms[place]
        self._ops_known = len(self.store.tables.ops)
        self._die()

    def heal(self) -> None:
        """End all faults."""
        self.faults = OfficeFaults(0.0, 0.0, 0.0, 0)
        self._is_down = False

    def act(self, op: OpId) -> ActId | None:
        """Return what an op of the log says, by its content."""
        if op not in self._acts and op in self.store.tables.ops:
            self._acts[op] = act_of(self.store.tables.ops[op].op)
        return self._acts.get(op)

    def lines(self) -> list[LogLine]:
        """Return the log for the oracle."""
        tables = self.store.tables
        effective = ((place, each) for place, each in enumerate(tables.entries, 1) if each.entry_type in _EFFECTIVE)
        return [self._line(tables.ops[each.op], place) for place, each in effective]

    def positions_without_effect(self) -> list[int]:
        """Return the positions of entries by which no op took effect."""
        entries = self.store.tables.entries
        return [place for place, each in enumerate(entries, 1) if each.entry_type not in _EFFECTIVE]

    def held(self) -> list[StoredOp]:
        """Return the ops that are kept apart: those that wait for a person, and those rejected."""
        return [each for each in self.store.tables.ops.values() if each.position is None]

    def dated(self) -> list[Dated]:
        """Return every op of a phone, accepted or held, with what its clock was made of."""
        return [*self._dated.values()]

    def _line(self, stored: StoredOp, place: int) -> LogLine:
        position = stored.position if stored.position is not None else place
        stamp = stored.stamp if stored.stamp is not None else 0
        accepted_ms = self._accepted_ms.get(place, 0)
        return LogLine(stored.op, position, int(stamp), stored.named, accepted_ms, stored.hold is not None)

    async def _answer(self, raw: bytes, answer: Callable[[bytes], None]) -> None:
        try:
            response = await self._exchange.answer(raw)
        except StoreUnavailableError:
            response = PROBLEM + b"unavailable"
        except ProtocolError as refusal:
            response = PROBLEM + refusal.code.encode()
        answer(response)

    async def _write(self, given: Sequence[Given]) -> None:
        try:
            await self._importing.write(given)
        except StoreUnavailableError:
            self._world.note("nothing imported")

    async def _decide(self, op: OpId, is_release: bool) -> None:  # noqa: FBT001 - a throw of the dice.
        try:
            if is_release:
                decided = await self._deciding.release(name_of(op), by="督导")
            else:
                decided = await self._deciding.reject(name_of(op), by="督导", reason="现场情况不符")
            self._world.note("decides", *(f"{name_of(each.op)}:{each.verdict}" for each in decided.decisions))
        except DecisionError as refused:
            self._world.note("cannot decide:", refused)
        except StoreUnavailableError:
            self._world.note("nothing decided")

    def _serve(self, work: Coroutine[Any, Any, None], served: Position, sending: Sending | None) -> None:
        if self._is_down:
            self._world.note("server down")
            work.close()
            return
        running = Running(work, self._ended)
        self._serving[running] = served, sending
        self._go_on(running)

    def _go_on(self, running: Running) -> None:
        self._current = running
        running.go_on()
        if running.is_over:
            self._serving.pop(running, None)

    async def _pause(self) -> None:
        running = self._current
        if not self.faults.pause_ms_max or running is None:
            return
        reply = Reply()
        reply.answer(b"")

        def over() -> None:
            if running.waits_for is reply:
                self._go_on(running)

        self._world.after(self._dice.randint(0, self.faults.pause_ms_max), over)
        await reply

    def _ended(self, reason: Exception | None) -> None:
        if isinstance(reason, ServerDiedError):
            self._die()
        elif reason is not None:
            raise reason

    def _note_new(self) -> None:
        tables = self.store.tables
        for place in range(len(self._accepted_ms) + 1, len(tables.entries) + 1):
            self._accepted_ms[place] = self._world.now_ms
        nobody = Position(0), None
        served, sending = self._serving.get(self._current, nobody) if self._current else nobody
        for op in islice(tables.ops, self._ops_known, None):
            if sending is not None:
                when = tables.ops[op].when
                stored = tables.ops[op].op
                self._dated[op] = Dated(
                    stored, when.at_ms, when.within_ms, int(when.tier), sending, self._world.now_ms
                )
            act = self.act(op)
            if act is not None:
                self._witness.served.setdefault(act, served)
        self._ops_known = len(tables.ops)

    def _fate(self) -> CommitFate:
        if is_so(self._dice, self.faults.dies_before_commit):
            return CommitFate.DIES_BEFORE
        if is_so(self._dice, self.faults.dies_after_commit):
            return CommitFate.DIES_AFTER
        return CommitFate.NO_SPACE if is_so(self._dice, self.faults.no_space) else CommitFate.DONE

    def _die(self) -> None:
        self._is_down = True
        self._world.note("server dies")
        for running in [*self._serving]:
            running.drop()
        self._serving.clear()
        self._world.after(self._dice.randint(0, _DOWN_MS_MAX), self._start)

    def _start(self) -> None:
        self._is_down = False
        self._world.note("server starts")

    def _now_ms(self) -> int:
        return self._world.now_ms
