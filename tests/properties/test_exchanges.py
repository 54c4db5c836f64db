"""Lost, late and doubled answers, held ops, moving records: whatever happens, replicas end equal to the server."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gridlog_protocol.ids import TENANT_SCOPE, RecordId
from gridlog_protocol.messages import SyncResponse
from gridlog_protocol.ops import Edit, Intent
from gridlog_protocol.state import RecordState
from gridlog_sync.scope import scopes_of_record
from tests.unit.sync.building import EAST, WEST, Asked, Phone, Server, a_record, add, count, kind, put, remove

EDITS: list[tuple[Edit, ...]] = [
    (put("summary", "积水"),),
    (put("summary", "路面积水"), put("weather", "rain")),
    (put("weather", "sunny"), add("tags", "flood")),
    (add("tags", "flood"),),
    (remove("tags", "flood"),),
    (remove("tags", "flood"), add("tags", "dry")),
    (count("handled_on_spot", 2),),
    (put("checklist", "ok", key="drain"), put("checklist", "bad", key="lamp")),
    (put("checklist", "bad", key="drain"),),
    (add("comments", "c1", {"id": "c1"}),),
    (put("weather", "not one of the options"), put("summary", "wrong")),
    (put("grid_code", WEST),),
    (put("grid_code", EAST),),
]
RECORDS = [a_record(number) for number in range(1, 4)]
STEPS = st.tuples(
    st.sampled_from(["write"] * 4 + ["ask"] * 3 + ["answer"] * 4 + ["late", "release"]), st.integers(0, 999)
)


@dataclass(slots=True)
class World:
    """Three phones, one server, and answers that are still on their way or come again."""

    server: Server = field(default_factory=Server)
    phones: tuple[Phone, ...] = field(
        default_factory=lambda: (
            Phone(1, TENANT_SCOPE, EAST, WEST),
            Phone(2, TENANT_SCOPE, EAST),
            Phone(3, TENANT_SCOPE, WEST, EAST),
        )
    )
    flying: list[tuple[Phone, Asked, SyncResponse]] = field(default_factory=list)

    def step(self, what: str, choice: int) -> None:
        phone = self.phones[choice % 3]
        match what:
            case "write":
                self._write(phone, RECORDS[choice // 3 % 3], choice // 9)
            case "ask":
                asked = phone.ask(ops_max=1 + choice // 3 % 3)
                self.flying.append((phone, asked, self._answer(phone, asked)))
            case "answer" if self.flying:
                self._arrive(choice % len(self.flying), again=choice % 4 == 0)
            case "late" if self.flying:
                self._arrive(0, again=True)
            case "release":
                waiting = [
                    op
                    for op, each in self.server.stored.items()
                    if each.held and each.op.record in self.server.records
                ]
                if waiting:
                    self.server.release(waiting[choice % len(waiting)])

    def heal(self) -> None:
        for phone in self.phones:
            phone.sync(self.server)
        while self.flying:
            self._arrive(0, again=False)
        for phone in self.phones:
            phone.sync(self.server)

    def _answer(self, phone: Phone, asked: Asked) -> SyncResponse:
        return self.server.answer(asked.request, phone.worker.device, phone.scopes)

    def _arrive(self, index: int, *, again: bool) -> None:
        phone, asked, response = self.flying[index]
        if not again:
            del self.flying[index]
        phone.take(asked, response)

    def _write(self, phone: Phone, record: RecordId, choice: int) -> None:
        if phone.shown(record) is None:
            edits = (put("grid_code", EAST), *EDITS[choice % 10])
            phone.write(record, edits, Intent.CREATE, at=choice % 4)
        else:
            phone.write(record, EDITS[choice % len(EDITS)], at=choice % 4)


def server_side(server: Server, phone: Phone) -> dict[RecordId, RecordState]:
    return {
        record: state for record, state in server.records.items() if scopes_of_record(state, kind()) & phone.scopes
    }


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(STEPS, max_size=60))
def test_after_any_mishap_replicas_end_equal_to_the_server(steps: list[tuple[str, int]]) -> None:
    world = World()
    for what, choice in steps:
        world.step(what, choice)

    world.heal()

    for phone in world.phones:
        assert phone.pending == []
        expected = server_side(world.server, phone)
        assert set(phone.confirmed) == set(expected)
        assert phone.digest() == world.server.answer(phone.ask().request, phone.worker.device, phone.scopes).digest
        assert phone.alarms == 0
