from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.decisions import EXTRA, Decision, Verdict, read_decisions
from gridlog_protocol.ids import Position, RecordId, ScopeId, record_id
from gridlog_protocol.log_chain import EntryType, Ruling, decided_hash, log_next, log_start
from gridlog_protocol.messages import HeldOp, SyncResponse
from gridlog_protocol.ops import Intent, Op
from gridlog_server.service import pulling
from gridlog_server.service.deciding import DecisionError, name_of
from gridlog_server.store.contract import StoredOp
from gridlog_sync.changes import Movement, Touch
from tests.unit.server.building import EAST, START_MS, TENANCY, WEST, Handset, Server, count, first_fetch, put

REASON = "现场核实不符"


def told(handset: Handset, answer: SyncResponse) -> list[Decision]:
    return [*read_decisions(answer.extras.get(EXTRA, []), handset.device)]


async def stored_op(server: Server, op: Op) -> StoredOp:
    async with server.store.reading() as snapshot:
        [found] = await snapshot.ledger.ops(op.id.device, op.id.incarnation, op.id.seq, op.id.seq)
    return found


async def touches_of(server: Server) -> list[Touch]:
    async with server.store.reading() as snapshot:
        return await snapshot.ledger.touches([EAST, WEST], Position(0), 100)


async def values(server: Server, record: RecordId) -> dict[str, object]:
    found = await server.inspection.record(record)
    return {**found[0].values} if found else {}


async def given_grid(server: Server, handset: Handset, grid: ScopeId) -> None:
    """Do what an administrator does who gives a worker one grid more."""
    async with server.store.reading() as snapshot:
        person = await snapshot.registry.person(handset.user)
    assert person is not None
    wider = replace(person, scopes=person.scopes | {grid})
    await server.store.commit(lambda each: each.registry.put_person(wider))


async def moved_away(server: Server) -> tuple[Handset, Handset, Op, Op]:
    """Return two handsets of one grid, a record there, and an edit by the second that is held."""
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("summary", "甲"))
    await server.exchanged(one, creation)
    await server.caught_up(two)
    edit = two.writes(creation.record, put("grid_code", WEST), put("summary", "乙"))
    answer = await server.exchanged(two, edit)
    assert answer.held == (HeldOp(1, "out_of_scope", ""),)
    return one, two, creation, edit


async def overruled(server: Server) -> tuple[Handset, Handset, Op, Op]:
    """Return the same, with an edit that is held but leaves the record where it is."""
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("summary", "甲"))
    await server.exchanged(one, creation)
    await server.caught_up(two)
    edit = two.writes(creation.record, put("record_no", "420106001001-20261122-X0001"), put("summary", "乙"))
    answer = await server.exchanged(two, edit)
    assert answer.held == (HeldOp(1, "server_decides", "record_no"),)
    return one, two, creation, edit


async def test_a_released_op_takes_effect_at_a_position_of_its_own_and_everybody_hears_of_it(server: Server) -> None:
    one, two, creation, edit = await moved_away(server)
    await server.exchanged(one, one.writes(creation.record, put("summary", "甲二")))

    decided = await server.deciding.release(name_of(edit.id), by="督导王")

    [decision] = decided.decisions
    assert (decision.position, (await stored_op(server, edit)).position) == (3, 3)
    [line] = await server.inspection.records(in_conflict=True)
    # Neither had seen the other: a released op does not count as having been there before.
    assert {head.value for head in line.conflicts[0].heads} == {"甲二", "乙"}
    for handset in (one, two):
        await server.caught_up(handset)
        assert handset.digest() == await server.recounted(handset.scopes)
    assert [each.movement for each in await touches_of(server) if each.scope == WEST] == [Movement.ENTERED]


async def test_its_author_is_told_once_with_the_changes_that_it_made(server: Server) -> None:
    one, two, _, edit = await overruled(server)
    await server.deciding.release(name_of(edit.id), by="督导王", reason="同意")

    answer = await server.exchanged(two)

    stored = await stored_op(server, edit)
    ruling = Ruling("督导王", server.clock.now_ms, "同意")
    assert stored.stamp is not None
    assert told(two, answer) == [Decision(edit.id, stored.hash, Verdict.RELEASED, Position(2), stored.stamp, ruling)]
    assert {name for each in answer.changes for name in each.fields} == {"record_no", "summary"}
    assert told(two, await server.exchanged(two)) == []
    assert told(one, await server.exchanged(one)) == []


async def test_an_op_whose_answer_was_lost_is_named_as_held_still_and_the_decision_comes_with_it(
    server: Server,
) -> None:
    handset = await server.enrolled("W1", EAST)
    op = handset.creates(scope=WEST)
    raw = handset.request([handset.segment([op])])
    await server.exchange.answer(raw)
    await server.deciding.release(name_of(op.id), by="督导王")

    answer = await server.answered(handset, handset.request([handset.segment([op])]))

    assert isinstance(answer, SyncResponse)
    assert (answer.accepted, answer.held) == ((), (HeldOp(1, "out_of_scope", ""),))
    assert [each.op for each in told(handset, answer)] == [op.id]


async def test_a_device_that_fetches_for_the_first_time_hears_of_all_decisions(server: Server) -> None:
    handset = await server.enrolled("W1", EAST)
    op = handset.creates(scope=WEST)
    await server.exchange.answer(handset.request([handset.segment([op])]))
    await server.deciding.reject(name_of(op.id), by="督导王", reason=REASON)

    answer = await server.exchanged(handset, fetches=first_fetch("tenant", EAST))

    assert [each.verdict for each in told(handset, answer)] == [Verdict.REJECTED]


async def test_more_decisions_than_one_answer_holds_come_with_the_next_ones(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "DECISIONS_MAX", 2)
    handset = await server.enrolled("W1", EAST)
    ops = [handset.creates(scope=WEST) for _ in range(5)]
    await server.exchanged(handset, *ops)
    for op in ops:
        await server.deciding.reject(name_of(op.id), by="督导王", reason=REASON)

    heard, has_more = [], True
    while has_more:
        answer = await server.exchanged(handset)
        heard += [each.op for each in told(handset, answer)]
        has_more = answer.has_more
        assert bool(answer.digest) is not has_more

    assert heard == [op.id for op in ops]


async def test_a_rejected_op_never_takes_effect_and_stays_in_the_history(server: Server) -> None:
    _, two, creation, edit = await moved_away(server)

    await server.deciding.reject(name_of(edit.id), by="督导王", reason=REASON)

    assert (await values(server, creation.record))["summary"] == "甲"
    stored = await stored_op(server, edit)
    assert (stored.position, stored.verdict, stored.hold) == (None, Verdict.REJECTED, "out_of_scope")
    assert await server.inspection.held() == []
    assert (await server.inspection.counts())["held"] == 0
    answer = await server.exchanged(two)
    assert [each.ruling.reason for each in told(two, answer)] == [REASON]
    assert answer.changes == ()


async def test_who_waited_for_a_released_creation_is_judged_again_in_order(server: Server) -> None:
    handset = await server.enrolled("W1", EAST, WEST)
    creation = handset.creates(scope="420106001001009")
    ops = [
        creation,
        handset.writes(creation.record, put("summary", "小结")),
        good := handset.writes(creation.record, put("grid_code", EAST)),
        handset.writes(creation.record, put("patrol_type", "picnic")),
    ]
    await server.exchanged(handset, *ops)

    decided = await server.deciding.release(name_of(creation.id), by="督导王")

    # The grid of the creation is still not the worker's, so all that hangs on it needs a look of its own.
    assert [each.op for each in decided.decisions] == [creation.id]
    assert {each.hold for each in decided.waiting} == {"out_of_scope"}
    again = await server.deciding.release(name_of(good.id), by="督导王")
    assert [each.op for each in again.decisions] == [good.id]
    assert (await values(server, creation.record))["grid_code"] == EAST


async def test_dependants_that_pass_take_effect_behind_the_creation_and_the_others_say_why_not(
    server: Server,
) -> None:
    handset = await server.enrolled("W1", EAST)
    creation = handset.creates(put("summary", "原"), scope=WEST)
    ops = [
        creation,
        handset.writes(creation.record, put("summary", "改")),
        handset.writes(creation.record, put("patrol_type", "picnic")),
        handset.writes(creation.record, count("handled_on_spot", 2)),
    ]
    await server.exchanged(handset, *ops)
    assert [each.hold for each in await server.inspection.held()] == [*["depends_on_held"] * 3, "out_of_scope"]
    await given_grid(server, handset, WEST)

    decided = await server.deciding.release(name_of(creation.id), by="督导王")

    assert [(each.op.seq, each.ruling.follows) for each in decided.decisions] == [(1, 0), (2, 1), (4, 1)]
    assert [(each.op.id.seq, each.hold, each.hold_field) for each in decided.waiting] == [
        (3, "invalid_value", "patrol_type")
    ]
    assert (await values(server, creation.record))["summary"] == "改"


async def test_a_rejected_creation_takes_with_it_all_that_waits_for_it(server: Server) -> None:
    handset = await server.enrolled("W1", EAST)
    creation = handset.creates(scope=WEST)
    await server.exchanged(handset, creation, handset.writes(creation.record), handset.writes(creation.record))

    decided = await server.deciding.reject(name_of(creation.id), by="督导王", reason=REASON)

    assert [(each.op.seq, each.ruling.follows) for each in decided.decisions] == [(1, 0), (2, 1), (3, 1)]
    late = await server.exchanged(handset, handset.writes(creation.record))
    assert [each.code for each in late.held] == ["unknown_record"]


async def test_an_op_is_decided_about_once(server: Server) -> None:
    _, _, _, edit = await moved_away(server)
    await server.deciding.release(name_of(edit.id), by="督导王")
    head = (await server.inspection.counts())["log_position"]

    for decide in (
        server.deciding.release(name_of(edit.id), by="李"),
        server.deciding.reject(name_of(edit.id), by="李", reason=REASON),
    ):
        with pytest.raises(DecisionError, match="督导王 released it already, at position 2"):
            await decide
    assert (await server.inspection.counts())["log_position"] == head


@pytest.mark.parametrize(
    ("kind", "edit", "sentence"),
    [
        ("dragon_sighting", put("summary", "x"), "does not know this form"),
        ("patrol", put("patrol_type", "picnic"), "breaks a rule of its field"),
        ("patrol", put("clock_offset_ms", 5), "filled in by the office"),
        ("patrol", put("summary", "x", digest_class=1), "was not protected"),
    ],
)
async def test_what_could_not_be_shown_cannot_be_released(
    server: Server, kind: str, edit: object, sentence: str
) -> None:
    handset = await server.enrolled("W1")
    creation = handset.creates(edit, kind=kind)  # type: ignore[arg-type]
    await server.exchanged(handset, creation)

    with pytest.raises(DecisionError, match=sentence) as refused:
        await server.deciding.release(name_of(creation.id), by="督导王")
    assert refused.value.text.zh.startswith("现在还不能放行：")
    assert (await server.inspection.counts())["log_position"] == 0


async def test_an_edit_of_nothing_and_a_second_creation_cannot_be_released(server: Server) -> None:
    handset, other = await server.enrolled("W1"), await server.enrolled("W2")
    creation = handset.creates()
    again = other.writes(creation.record, put("grid_code", EAST), intent=Intent.CREATE)
    lost = other.writes(record_id(START_MS, bytes(10)), put("summary", "x"))
    await server.exchanged(handset, creation)
    await server.exchanged(other, again, lost)
    for op, sentence in ((again, "already taken"), (lost, "not found")):
        with pytest.raises(DecisionError, match=sentence):
            await server.deciding.release(name_of(op.id), by="督导王")


@pytest.mark.parametrize("name", ["", "1", "zz-1", "abcd-abcd-", "abcd-abcd-x", "abcd-abcd-99", "a-b-1", "abcd-1"])
async def test_a_name_that_means_nothing_is_refused(server: Server, name: str) -> None:
    with pytest.raises(DecisionError):
        await server.deciding.release(name, by="督导王")


@pytest.mark.parametrize(("by", "reason"), [("", REASON), ("王" * 61, REASON), ("王", "不行"), ("王", "x" * 201)])
async def test_a_rejection_says_who_and_why(server: Server, by: str, reason: str) -> None:
    _, _, _, edit = await moved_away(server)
    with pytest.raises(DecisionError):
        await server.deciding.reject(name_of(edit.id), by=by, reason=reason)
    assert len(await server.inspection.held()) == 1


async def test_a_released_op_is_stamped_above_its_authors_earlier_ops_and_its_later_ones_above_it(
    server: Server,
) -> None:
    _, two, creation, edit = await overruled(server)
    later = two.writes(creation.record, put("weather", "rain"))
    await server.exchanged(two, later)
    server.clock.now_ms += 1000
    await server.deciding.release(name_of(edit.id), by="督导王")
    last = two.writes(creation.record, put("weather", "fog"))
    await server.exchanged(two, last)
    stamps = [(await stored_op(server, op)).stamp or 0 for op in (creation, edit, later, last)]
    assert stamps == sorted(stamps)


async def test_a_proposal_waits_for_the_office_and_takes_effect_when_it_is_accepted(server: Server) -> None:
    handset = await server.enrolled("W1")
    creation = handset.creates()
    wanted = put("record_no", "420106001001-20261122-X0001")
    proposal = handset.writes(creation.record, wanted, intent=Intent.PROPOSE)
    mixed = handset.writes(creation.record, wanted, put("summary", "x"), intent=Intent.PROPOSE)
    answer = await server.exchanged(handset, creation, proposal, mixed)
    assert answer.held == (HeldOp(2, "proposal", ""), HeldOp(3, "invalid_value", "summary"))
    assert "record_no" not in await values(server, creation.record)

    await server.deciding.release(name_of(proposal.id), by="督导王")

    assert (await values(server, creation.record))["record_no"] == wanted.value


async def test_the_log_proves_who_decided_what(server: Server) -> None:
    _, two, _, edit = await moved_away(server)
    other = two.creates(scope=WEST)
    await server.exchanged(two, other)
    await server.deciding.release(name_of(edit.id), by="督导王", reason="同意")
    await server.deciding.reject(name_of(other.id), by="督导李", reason=REASON)
    released, rejected = await stored_op(server, edit), await stored_op(server, other)
    async with server.store.reading() as snapshot:
        links = [await snapshot.ledger.log_hash(Position(place)) for place in range(1, 4)]
        made = [await snapshot.reviews.decision(each.op.id) for each in (released, rejected)]
    assert [each.ruling for each in made if each] == [
        Ruling("督导王", START_MS, "同意"),
        Ruling("督导李", START_MS, REASON),
    ]
    assert links[0] is not None
    assert links[0] != log_start(TENANCY.tenant, TENANCY.epoch)
    link = links[0]
    for place, (stored, decision, entry_type) in enumerate(
        ((released, made[0], EntryType.RELEASED), (rejected, made[1], EntryType.REJECTED)), start=2
    ):
        assert decision is not None
        link = log_next(
            link,
            position=Position(place),
            entry_type=entry_type,
            op=stored.op.id,
            op_hash=decided_hash(stored.hash, decision.ruling),
            stamp=decision.stamp,
        )
        assert link == links[place - 1]


async def test_rejecting_one_of_two_creations_leaves_what_hangs_on_the_other(server: Server) -> None:
    one, two = await server.enrolled("W1", EAST), await server.enrolled("W2", EAST)
    creation = one.creates(scope=WEST)
    edit = one.writes(creation.record, put("summary", "甲"))
    await server.exchanged(one, creation, edit)
    twin = two.writes(creation.record, put("grid_code", EAST), intent=Intent.CREATE)
    answer = await server.exchanged(two, twin)
    assert [each.code for each in answer.held] == ["record_exists"]

    await server.deciding.reject(name_of(twin.id), by="王", reason=REASON)

    released = await server.deciding.release(name_of(creation.id), by="王")
    assert [each.op for each in released.decisions] == [creation.id]
    assert [each.op.id for each in released.waiting] == [edit.id]
    assert (await stored_op(server, edit)).verdict is None
