from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gridlog_protocol.ids import SERVER_DEVICE, RecordId
from gridlog_protocol.kinds.times import DAY_MS
from gridlog_server.service.checking import check
from gridlog_server.service.in_reach import NotThereError, StaleError
from gridlog_server.service.permitting import ForbiddenError
from gridlog_server.service.refusing import RefusedError
from gridlog_server.service.reviewing import REMARKS_MAX, Remark
from gridlog_server.store.sqlite import SqliteStore
from gridlog_sync.review import ReviewState, review_of
from gridlog_sync.view import rounds_of, values_of
from tests.unit.server.building import KINDS, TENANCY, Server, put, serving
from tests.unit.server.office import Office, opened

REASON = "照片看不清楚"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with serving(tmp_path) as server:
        yield await opened(server)


async def ops(office: Office, record: RecordId) -> int:
    async with office.server.store.reading() as snapshot:
        return len(await snapshot.ledger.ops_of_record(record))


async def test_an_approval_is_an_op_of_the_supervisor_that_the_handheld_pulls_as_any_change(office: Office) -> None:
    record = await office.submitted()
    done = await office.server.reviewing.approve(record, await office.changed(record), by=office["S1"])
    assert (done.state, done.round, done.position) == (ReviewState.APPROVED, 0, await office.changed(record))
    async with office.server.store.reading() as snapshot:
        op = (await snapshot.ledger.ops_of_record(record))[-1].op
    assert (op.id.device, op.author) == (SERVER_DEVICE, office["S1"].person)

    await office.server.caught_up(office.worker)
    pulled = values_of(office.worker.replica[record], KINDS.get("patrol"))
    assert pulled == await office.values(record)
    assert pulled["review_state"] == "approved"


async def test_a_return_opens_a_round_with_its_reason_and_remarks_in_one_op_and_the_author_answers(
    office: Office,
) -> None:
    record = await office.submitted(put("summary", "一切正常"))
    before = await ops(office, record)
    remarks = [Remark("哪一段？", "summary"), Remark("下次请带上同伴")]
    done = await office.server.reviewing.send_back(
        record, await office.changed(record), by=office["S1"], reason=REASON, remarks=remarks
    )
    assert (done.state, done.round, await ops(office, record)) == (ReviewState.RETURNED, 1, before + 1)
    state = await office.state(record)
    kind = KINDS.get("patrol")
    assert kind
    review = review_of(await office.values(record), rounds_of(state, kind))
    assert (review.state, review.round, review.reason) == (ReviewState.RETURNED, 1, REASON)
    me = office["S1"].person
    assert {(each.by, each.field, each.text) for each in review.comments} == {
        (me, "summary", "哪一段？"),
        (me, "", "下次请带上同伴"),
    }

    await office.server.caught_up(office.worker)
    again = office.worker.writes(record, put("summary", "东段围墙"), put("review_state", [1, "submitted"]))
    await office.server.exchanged(office.worker, again)
    approved = await office.server.reviewing.approve(
        record, await office.changed(record), by=office["S0"], note="改得好"
    )
    assert (approved.state, approved.round) == (ReviewState.APPROVED, 1)
    assert (await office.server.inspection.counts())["in_conflict"] == 0


async def test_a_remark_leaves_the_record_where_it_stands(office: Office) -> None:
    record = await office.submitted()
    done = await office.server.reviewing.remark(record, by=office["S1"], remarks=[Remark("已看")])
    assert (done.state, done.round) == (ReviewState.SUBMITTED, 0)
    with pytest.raises(RefusedError, match="Say something"):
        await office.server.reviewing.remark(record, by=office["S1"], remarks=[])


async def test_a_page_that_is_older_than_the_record_decides_nothing(office: Office) -> None:
    record = await office.submitted()
    page = await office.changed(record)
    await office.server.exchanged(office.worker, office.worker.writes(record, put("summary", "又补了一句")))
    with pytest.raises(StaleError) as stale:
        await office.server.reviewing.approve(record, page, by=office["S1"])
    assert stale.value.changed == await office.changed(record) > page
    with pytest.raises(StaleError):
        await office.server.reviewing.send_back(record, page, by=office["S1"], reason=REASON)
    assert (await office.values(record))["review_state"] == "submitted"


ACTS: dict[str, Callable[[Server, RecordId, Office, str], Awaitable[object]]] = {
    "approve": lambda server, record, office, who: server.reviewing.approve(record, None, by=office[who]),
    "return": lambda server, record, office, who: server.reviewing.send_back(
        record, None, by=office[who], reason=REASON
    ),
    "remark": lambda server, record, office, who: server.reviewing.remark(
        record, by=office[who], remarks=[Remark("看过")]
    ),
    "look": lambda _, record, office, who: office.resolving.conflicts(record, by=office[who]),
    "undo": lambda _, record, office, who: office.resolving.undo(record, None, by=office[who]),
    "resolve": lambda _, record, office, who: office.resolving.resolve(record, None, [], by=office[who]),
}
NOBODY = {"W1": ForbiddenError, "A1": ForbiddenError, "S2": NotThereError}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("who", NOBODY)
async def test_workers_administrators_and_supervisors_of_other_grids_do_nothing_here(
    office: Office, act: str, who: str
) -> None:
    record = await office.submitted()
    before = await ops(office, record)
    with pytest.raises(NOBODY[who]):
        await ACTS[act](office.server, record, office, who)
    assert await ops(office, record) == before


@pytest.mark.parametrize("act", ["approve", "return", "remark", "look"])
@pytest.mark.parametrize("who", ["S1", "S0"])
async def test_supervisors_of_the_grid_and_of_those_above_it_may(office: Office, act: str, who: str) -> None:
    await ACTS[act](office.server, await office.submitted(), office, who)


async def test_an_unknown_record_and_one_of_another_grid_are_told_alike(office: Office) -> None:
    record = await office.submitted()
    told = []
    for each in (record, RecordId(bytes(16))):
        with pytest.raises(NotThereError) as refusal:
            await office.server.reviewing.approve(each, None, by=office["S2"])
        told.append(refusal.value.text)
    assert told[0] == told[1]


async def test_nobody_decides_about_a_record_of_his_own(office: Office) -> None:
    handset = await office.server.enrolled("S0", "420106001001001")
    op = handset.creates(put("review_state", [0, "submitted"]))
    await office.server.exchanged(handset, op)
    for act in ("approve", "return", "undo", "resolve"):
        with pytest.raises(ForbiddenError, match="yourself"):
            await ACTS[act](office.server, op.record, office, "S0")
    await office.server.reviewing.approve(op.record, None, by=office["S1"])


async def test_only_what_was_handed_in_is_approved_or_returned(office: Office) -> None:
    draft = office.worker.creates()
    await office.server.exchanged(office.worker, draft)
    with pytest.raises(RefusedError, match="a draft"):
        await office.server.reviewing.approve(draft.record, None, by=office["S1"])
    record = await office.submitted()
    await office.server.reviewing.send_back(record, None, by=office["S1"], reason=REASON)
    with pytest.raises(RefusedError, match="waits for its author"):
        await office.server.reviewing.send_back(record, None, by=office["S1"], reason=REASON)


async def test_an_approved_record_is_returned_within_thirty_days_and_not_later(office: Office) -> None:
    record, other = await office.submitted(), await office.submitted()
    for each in (record, other):
        await office.server.reviewing.approve(each, None, by=office["S1"])
    office.server.clock.now_ms += 29 * DAY_MS
    assert (await office.server.reviewing.send_back(record, None, by=office["S1"], reason=REASON)).round == 1
    office.server.clock.now_ms += 2 * DAY_MS
    with pytest.raises(RefusedError, match="30 days"):
        await office.server.reviewing.send_back(other, None, by=office["S1"], reason=REASON)


async def test_what_contradicts_itself_is_not_approved_but_may_go_back(office: Office) -> None:
    partner = await office.server.enrolled("W2", "420106001001001")
    record = await office.submitted(put("summary", "第一版"))
    await office.server.caught_up(partner)
    mine = office.worker.writes(record, put("summary", "甲"))
    theirs = partner.writes(record, put("summary", "乙"))
    await office.server.exchanged(office.worker, mine)
    await office.server.exchanged(partner, theirs)
    with pytest.raises(RefusedError, match="in conflict"):
        await office.server.reviewing.approve(record, None, by=office["S1"])
    await office.server.reviewing.send_back(record, None, by=office["S1"], reason=REASON)


@pytest.mark.parametrize(
    ("reason", "remarks"),
    [
        ("太短", []),
        ("长" * 201, []),
        (REASON, [Remark("", "summary")]),
        (REASON, [Remark("长" * 501)]),
        (REASON, [Remark("没有这一项", "nonsense")]),
        (REASON, [Remark("多")] * (REMARKS_MAX + 1)),
        ("身份证 110101199003074514 有误", []),
    ],
)
async def test_a_reason_or_remark_that_cannot_be_kept_is_refused_and_changes_nothing(
    office: Office, reason: str, remarks: list[Remark]
) -> None:
    record = await office.submitted()
    before = await office.state(record)
    with pytest.raises(ValueError):  # noqa: PT011 - RefusedError or InvalidRecordError, both with a sentence.
        await office.server.reviewing.send_back(record, None, by=office["S1"], reason=reason, remarks=remarks)
    assert await office.state(record) == before


async def test_a_handheld_that_approves_its_own_record_is_held(office: Office) -> None:
    op = office.worker.creates(put("review_state", [0, "approved"]))
    await office.server.exchanged(office.worker, op)
    assert [each.hold for each in await office.server.inspection.held()] == ["review_step"]


async def test_what_the_office_wrote_stands_the_check_against_the_log(office: Office) -> None:
    record = await office.submitted()
    await office.server.reviewing.send_back(record, None, by=office["S1"], reason=REASON, remarks=[Remark("改")])
    store = office.server.store
    assert isinstance(store, SqliteStore)
    async with store.reading() as snapshot:
        checked = await check(snapshot, TENANCY, KINDS)
    assert [*checked.findings] == []
