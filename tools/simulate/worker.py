"""Somebody with a handheld in the world: writes, keeps forms open, drops the phone, synchronises when he may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random

from gridlog.errors import (
    DiskFullError,
    ForeignServerError,
    NothingToUndoError,
    RefusedError,
    UnknownRecordError,
    UnreachableError,
)
from gridlog.records import Record
from gridlog.showing import conflicts, record_of
from gridlog_protocol.ids import Position, RecordId, ScopeId, UserId, record_id
from gridlog_protocol.kinds import KindSet, Merge
from gridlog_protocol.ops import Action, Intent, Op
from gridlog_protocol.state import RecordState
from gridlog_sync.pacing import Broken
from gridlog_sync.testing.clocks import PhoneClock
from gridlog_sync.testing.disk import Disk, Fate, PowerCutError
from gridlog_sync.testing.network import Leg, Network
from gridlog_sync.testing.timekeeping import Sending
from gridlog_sync.testing.witness import Act, ActId, Witness, act_of
from gridlog_sync.testing.world import World
from gridlog_sync.view import said_by
from gridlog_sync.writing import Add, Change, InvalidRecordError
from tools.simulate import forms
from tools.simulate.coroutines import Reply, Running
from tools.simulate.handheld import DeviceKeys, Link, ModelledClock, ModelledStore
from tools.simulate.office import PROBLEM, Office
from tools.simulate.sight import Sight, seen_with, sight_of

TIMEOUT_MS = 25_000
_FORMS_OPEN_MAX = 2
_RECENT = 4


class PromiseError(Exception):
    """A promise was broken before the end: there is no need to look further."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form on the screen, and the writes that it showed."""

    record: Record
    sight: Sight
    waiting: tuple[Op, ...]


@dataclass(slots=True)
class Surroundings:
    """What all workers of one world share."""

    world: World
    network: Network
    office: Office
    witness: Witness
    kinds: KindSet
    grids: tuple[ScopeId, ...]


class Worker:
    """One worker and one phone."""

    def __init__(  # noqa: PLR0913 - each is a part of the phone.
        self,
        name: str,
        around: Surroundings,
        dice: Random,
        *,
        keys: DeviceKeys,
        user: UserId,
        scopes: tuple[ScopeId, ...],
        clock: PhoneClock,
        content: bytes,
        fate: Callable[[], Fate],
        creation: float,
        proposals: float,
        is_liar: bool = False,
    ) -> None:
        self.name = name
        self.user = user
        self.keys = keys
        self.scopes = scopes
        self.clock = clock
        self.is_liar = is_liar
        self._creation = creation
        self._proposals = proposals
        self.saved: set[ActId] = set()
        self.alarms = 0
        self.refusals: list[str] = []
        self._around = around
        self._dice = dice
        self._forms: list[Form] = []
        self._syncing: Running | None = None
        self.disk = Disk(dice, fate, content)
        self.store = self._opened()

    def act(self) -> None:
        """Do one thing that a worker does."""
        throw = self._dice.random()
        try:
            if self._dice.random() < self._creation or not self.store.shown_records():
                self._create()
            elif throw < 0.2:
                self._open_form()
            elif throw < 0.5 and self._forms:
                self._save(self._forms.pop(self._dice.randrange(len(self._forms))))
            elif throw < 0.64 and self._has_decisions():
                self._decide()
            elif throw < 0.6:
                self._edit({"grid_code": self._dice.choice((*self.scopes[1:], *self._around.grids))})
            elif throw > 0.96:
                self._withdraw()
            else:
                self._edit(None)
        except InvalidRecordError as refused:
            self._note("refused by the form:", ",".join(each.field + ":" + each.rule for each in refused.violations))
        except PowerCutError:
            self.die()
        except DiskFullError:
            self._note("disk full")
            self._start_again()

    def synchronise(self) -> None:
        """Begin an exchange, unless one is running."""
        if self._syncing is not None:
            return
        store = self.store
        self._syncing = Running(store.exchange_over(Link(self._around.world, self._send)), self._ended)
        self._go_on(self._syncing, None)

    def die(self) -> None:
        """Lose power, and start again from what the disk has."""
        self._note("dies")
        self.disk.crash()
        self.clock.reboot(self._dice, self._around.world.now_ms)
        self._start_again()

    def put_back(self, copy: bytes) -> None:
        """Get an older copy of the disk back: what was written since and not sent is gone."""
        self._note("gets an older copy back")
        self.disk.put_back(copy)
        self._start_again()

    def waiting(self) -> set[ActId]:
        """Return the acts that wait to be sent."""
        return {act_of(written.op) for written in self.store.memory.pending.values()}

    @property
    def held_scopes(self) -> frozenset[str]:
        """The scopes whose records this phone may hold."""
        return frozenset(self.scopes)

    @property
    def position(self) -> Position:
        """Where the phone stands in the log."""
        standing = self.store.memory.standing
        return standing.position if standing else Position(0)

    @property
    def clock_setting(self) -> str:
        """Name the phone, and how often its wall clock has been set."""
        return f"{self.name} {self.clock.settings}"

    def twin(self, copy: bytes, fate: Callable[[], Fate]) -> Worker:
        """Return somebody with a copy of this phone's store, who goes on writing."""
        dice = Random(self._dice.getrandbits(64))
        return Worker(
            self.name + "'",
            self._around,
            dice,
            keys=self.keys,
            user=self.user,
            scopes=self.scopes,
            clock=PhoneClock.drawn(dice, self._around.world.now_ms, is_wrong=True),
            content=copy,
            fate=fate,
            creation=self._creation,
            proposals=self._proposals,
            is_liar=self.is_liar,
        )

    def replica(self, records: Iterable[RecordId]) -> dict[RecordId, RecordState]:
        """Return what the phone holds of these records, what it only wrote itself left out."""
        confirmed = self.store.memory.projection.confirmed
        there = {*records, *self.store.shown_records()}
        return {record: state for record in sorted(there) if (state := confirmed(record)) is not None}

    def finish(self) -> None:
        """Save what is still open."""
        while self._forms:
            try:
                self._save(self._forms.pop())
            except InvalidRecordError:
                self._note("a form was not saved")

    def _opened(self) -> ModelledStore:
        clock = ModelledClock(self._around.world, self.clock)
        kinds, entropy = self._around.kinds, self._dice.randbytes
        return ModelledStore(self.disk, self.keys, kinds, clock, entropy, is_liar=self.is_liar)

    def _start_again(self) -> None:
        if self._syncing is not None:
            self._syncing.drop()
            self._syncing = None
        self._forms.clear()
        self.alarms += self.store.alarms
        self.store = self._opened()

    def _create(self) -> None:
        kind = self._dice.choice(forms.KINDS)
        foreign = [grid for grid in self._around.grids if grid not in self.scopes]
        grid = self._dice.choice(foreign if foreign and self._dice.random() < 0.05 else self.scopes[1:])
        record = record_id(max(0, self.store.wall_ms()), self._dice.randbytes(10))
        self._write(record, kind, forms.created(kind, grid, self.user, self._dice) | self._proposed(kind), None)

    def _open_form(self) -> None:
        if len(self._forms) < _FORMS_OPEN_MAX:
            self._forms.append(self._form())

    def _save(self, form: Form) -> None:
        self._write(form.record.id, form.record.kind, self._edited(form.record.kind), form)

    def _withdraw(self) -> None:
        form = self._form()
        changes = forms.withdrawal(self.user, self._dice)
        self._write(form.record.id, form.record.kind, changes, form, Intent.WITHDRAW)

    def _has_decisions(self) -> bool:
        return bool(self.store.memory.projection.in_conflict() or self.store.memory.resolutions)

    def _decide(self) -> None:
        """Settle what is in conflict, or take back what was settled here."""
        memory = self.store.memory
        settled = [record for record in memory.resolutions if memory.shown(record) is not None]
        if settled and self._dice.random() < 0.4:
            self._take_back(self._dice.choice(settled))
            return
        found = conflicts(memory)
        if not found:
            return
        conflict = self._dice.choice(found)
        record = record_of(memory, conflict.record)
        kind = self._around.kinds.get(record.kind)
        assert kind is not None
        field = kind.fields[conflict.field]
        said = said_by(field, self._dice.choice(conflict.heads))
        changes: dict[str, Change] = {conflict.field: {conflict.key: said} if conflict.key else said}
        if field.merge in (Merge.AWSET, Merge.APPEND):
            changes = {conflict.field: Add((said,))}
        self._write(record.id, record.kind, changes, self._form_on(record), Intent.RESOLVE)

    def _take_back(self, record: RecordId) -> None:
        try:
            form = self._form_on(record_of(self.store.memory, record))
            self._witnessed(record, form, lambda: self.store.take_back(record), "takes back", "")
        except NothingToUndoError:
            self._note("nothing to take back on", record.hex()[-6:])

    def _edit(self, changes: dict[str, Change] | None) -> None:
        form = self._form()
        edits = changes if changes is not None else self._edited(form.record.kind)
        self._write(form.record.id, form.record.kind, edits, form)

    def _edited(self, kind: str) -> dict[str, Change]:
        return forms.edited(kind, self._dice) | self._proposed(kind)

    def _proposed(self, kind: str) -> dict[str, Change]:
        return forms.proposed(kind, self._dice) if self._dice.random() < self._proposals else {}

    def _form(self) -> Form:
        # Mostly one of the newest few: workers must meet.
        known = self.store.shown_records()[-_RECENT:]
        return self._form_on(record_of(self.store.memory, self._dice.choice(known)))

    def _form_on(self, record: Record) -> Form:
        memory = self.store.memory
        return Form(record, sight_of(memory, self._around.office, record.id), (*memory.proposals_of(record.id),))

    def _write(
        self,
        record: RecordId,
        kind: str,
        changes: dict[str, Change],
        form: Form | None,
        intent: Intent = Intent.EDIT,
    ) -> None:
        opened = form.record if form else None
        save = partial(self.store.write, record, kind, changes, opened, intent)
        self._witnessed(record, form, save, f"saves {kind}", *sorted(changes))

    def _witnessed(self, record: RecordId, form: Form | None, save: Callable[[], Record], *what: str) -> None:
        composed: list[ActId] = []

        def witness(op: Op) -> None:
            op_act = act_of(op)
            composed.append(op_act)
            sight = seen_with(form.sight, form.waiting, op) if form else {}
            now_ms, setting = self._around.world.now_ms, self.clock_setting
            self._around.witness.saw(Act(op_act, record, sight, self.is_liar, now_ms, setting))

        self.store.composer.witness = lambda written: witness(written.op)
        try:
            after = save()
        except UnknownRecordError:
            # It left this phone while the form was open, and nothing in the form was changed.
            assert not composed, "what was written is shown"
            return
        self.saved |= {*composed}
        self._note(what[0], record.hex()[-6:], *what[1:], *(act.hex()[:6] for act in composed))
        if composed:
            self._read_back(after, after.kind)

    def _read_back(self, after: Record, kind_name: str) -> None:
        """One's own writes read back at once: a register shows what was just typed."""
        kind = self._around.kinds.get(kind_name)
        last = self.store.memory.pending_of(after.id)[-1]
        for edit in last.edits:
            field = kind.fields[edit.field] if kind else None
            is_register = field is not None and field.merge in (Merge.LWW, Merge.MV) and not field.has_elements
            if is_register and edit.action is Action.SET and after.values.get(edit.field) != edit.value:
                raise PromiseError(f"{self.name} typed {edit.field} = {edit.value!r}, and reads something else")

    async def _send(self, raw: bytes) -> bytes:
        reply = Reply()
        world, network, syncing = self._around.world, self._around.network, self._syncing
        asked = self.store.driver.asked[raw]
        store = self.store
        position = self.position
        sending = Sending(world.now_ms, self.clock.boot, self.clock_setting)
        self._note("asks", *(op.id.seq for op in asked.sent))

        def arrived(answer: bytes) -> None:
            if syncing is not None and syncing.waits_for is reply:
                reply.answer(answer)
                self._go_on(syncing, None)
            elif store is self.store and not answer.startswith(PROBLEM):
                self._take_late(store, raw, answer)

        def given_up() -> None:
            if syncing is not None and syncing.waits_for is reply:
                self._go_on(syncing, UnreachableError("no answer", Broken.ASKING))

        def served(request: bytes) -> None:
            self._around.office.receive(
                request, position, sending, lambda answer: network.carry(self.name, Leg.DOWN, answer, arrived)
            )

        network.carry(self.name, Leg.UP, raw, served)
        world.after(TIMEOUT_MS, given_up)
        answer = await reply
        if answer.startswith(PROBLEM):
            raise RefusedError(answer[len(PROBLEM) :].decode())
        return answer

    def _take_late(self, store: ModelledStore, raw: bytes, answer: bytes) -> None:
        self._note("late answer")
        try:
            store.take_late(store.driver.asked[raw], answer)
        except (ForeignServerError, RefusedError) as reason:
            self._note("not taken:", type(reason).__name__)
        except PowerCutError:
            self.die()
        except DiskFullError:
            self._start_again()

    def _go_on(self, syncing: Running, failure: Exception | None) -> None:
        syncing.go_on(failure)
        if syncing.is_over and self._syncing is syncing:
            self._syncing = None

    def _ended(self, reason: Exception | None) -> None:
        match reason:
            case None:
                memory = self.store.memory
                position = memory.standing.position if memory.standing else 0
                self._note("synchronised", position, "pending", len(memory.pending))
            case RefusedError():
                self._note("refused:", reason.code)
                self.refusals.append(reason.code)
            case UnreachableError() | ForeignServerError():
                self._note(type(reason).__name__)
            case PowerCutError():
                self.die()
            case DiskFullError():
                self._note("disk full")
                self._start_again()
            case _:
                raise reason

    def _note(self, *facts: object) -> None:
        self._around.world.note(self.name, *facts)
