from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import OpId
from gridlog_protocol.log_chain import EntryType, log_next, log_start
from gridlog_protocol.messages import HeldOp, Refused, SyncResponse
from gridlog_protocol.ops import Edit, Op, op_hash
from gridlog_server.store.contract import StoredOp
from gridlog_sync.view import values_of
from tests.unit.server.building import EAST, KINDS, START_MS, TENANCY, WEST, Handset, Server, add, count, put

MISSED: dict[str, Value] = {"id": "m1", "checkpoint_id": "cp-1", "reason": "施工"}


async def stored_ops(server: Server, handset: Handset) -> list[StoredOp]:
    async with server.store.reading() as snapshot:
        return await snapshot.ledger.ops(handset.device, handset.incarnation, 1, 1 << 40)


async def quarantined(server: Server) -> int:
    return (await server.inspection.counts())["quarantine"]


async def refusal(server: Server, handset: Handset, raw: bytes) -> str:
    answer = await server.answered(handset, raw)
    assert isinstance(answer, Refused)
    return answer.code


async def test_every_op_is_stored_once_and_gets_its_place_in_the_log(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(put("summary", f"第{number}趟")) for number in range(5)]
    answer = await server.exchanged(handset, *ops)
    assert [(run.first_seq, run.count, run.first_position) for run in answer.accepted] == [(1, 5, 1)]
    assert answer.known_seq == 5
    assert [each.op for each in await stored_ops(server, handset)] == ops


async def test_an_op_that_comes_again_is_acknowledged_again_and_stored_once(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(count("handled_on_spot", 1)), handset.creates()]
    raw = handset.request([handset.segment(ops)])
    first = await server.answered(handset, raw)
    assert isinstance(first, SyncResponse)
    for sent in (raw, handset.request([handset.segment(ops)]), handset.request([handset.segment(ops[:1])])):
        again = await server.answered(handset, sent)
        assert isinstance(again, SyncResponse)
        assert again.known_seq == 2
        assert again.accepted[0].first_position == 1
    assert (await server.inspection.counts())["ops"] == 2


async def test_a_push_that_overlaps_what_is_held_adds_only_the_rest(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(6)]
    await server.exchanged(handset, *ops[:4])
    answer = await server.exchanged(handset, *ops[2:])
    assert [(run.first_seq, run.count, run.first_position) for run in answer.accepted] == [(3, 4, 3)]
    assert len(await stored_ops(server, handset)) == 6


async def test_a_push_beyond_a_gap_acknowledges_nothing_and_says_where_to_go_on(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(4)]
    await server.exchanged(handset, ops[0])
    answer = await server.exchanged(handset, *ops[2:])
    assert (answer.accepted, answer.known_seq) == ((), 1)
    assert len(await stored_ops(server, handset)) == 1


async def test_another_op_under_the_same_number_is_refused_and_kept_apart(server: Server) -> None:
    handset = await server.enrolled("W1")
    kept = handset.creates(put("summary", "原件"))
    await server.exchanged(handset, kept)
    handset.seq = 0
    branch = handset.request([handset.segment([handset.creates(put("summary", "副本")), handset.creates()])])
    for _ in range(3):
        assert await refusal(server, handset, branch) == "fork"
    assert [each.op for each in await stored_ops(server, handset)] == [kept]
    assert await quarantined(server) == 1


async def test_ops_that_do_not_continue_the_chain_are_refused(server: Server) -> None:
    handset = await server.enrolled("W1")
    await server.exchanged(handset, handset.creates())
    handset.written[1] = replace(handset.written[1], salt=bytes(16), kind="another past")
    raw = handset.request([handset.segment([handset.creates()])])
    assert await refusal(server, handset, raw) == "broken_chain"
    assert len(await stored_ops(server, handset)) == 1


async def test_a_segment_signed_by_somebody_else_is_refused(server: Server) -> None:
    handset, other = await server.enrolled("W1"), await server.enrolled("W2")
    segment = handset.segment([handset.creates()])
    forged = replace(segment, signature=other.signing.sign(b"anything"))
    assert await refusal(server, handset, handset.request([forged])) == "bad_signature"
    assert await stored_ops(server, handset) == []


async def test_a_segment_of_another_device_is_not_taken_from_this_one(server: Server) -> None:
    author, carrier = await server.enrolled("W1"), await server.enrolled("W1")
    stolen = author.segment([author.creates()])
    assert await refusal(server, carrier, carrier.request([stolen])) == "bad_signature"


async def test_nobody_writes_in_somebody_elses_name(server: Server) -> None:
    handset, other = await server.enrolled("W1"), await server.enrolled("W2")
    op = handset.creates()
    handset.written[1] = forged = replace(op, author=other.user)
    assert await refusal(server, handset, handset.request([handset.segment([forged])])) == "bad_signature"
    assert (await server.inspection.counts())["ops"] == 0


async def test_a_store_that_was_restored_begins_a_chain_of_its_own(server: Server) -> None:
    handset = await server.enrolled("W1")
    await server.exchanged(handset, handset.creates())
    restored = replace(handset, incarnation=type(handset.incarnation)(b"restored"), seq=0, written={})
    answer = await server.exchanged(restored, restored.creates(), restored.creates())
    assert (answer.known_seq, answer.accepted[0].first_position) == (2, 2)


async def test_an_op_out_of_the_authors_grids_is_held(server: Server) -> None:
    handset = await server.enrolled("W1", EAST)
    assert await held_codes(server, handset, handset.creates(scope=WEST)) == ["out_of_scope"]
    assert await held_codes(server, handset, handset.creates(scope=None)) == ["out_of_scope"]


async def test_an_edit_of_a_record_in_another_grid_is_held(server: Server) -> None:
    east, west = await server.enrolled("W1", EAST), await server.enrolled("W2", WEST)
    record = east.creates()
    await server.exchanged(east, record)
    assert await held_codes(server, west, west.writes(record.record, put("summary", "x"))) == ["out_of_scope"]
    into = put("grid_code", WEST)
    assert await held_codes(server, west, west.writes(record.record, into)) == ["out_of_scope"]
    assert await held_codes(server, east, east.writes(record.record, into)) == ["out_of_scope"]


async def test_reference_data_is_not_a_workers_to_write(server: Server) -> None:
    handset = await server.enrolled("W1")
    grid = handset.creates(put("grid_code", "420106001001009"), scope=None, kind="grid")
    assert await held_codes(server, handset, grid) == ["out_of_scope"]


async def test_an_edit_of_nothing_is_held(server: Server) -> None:
    handset = await server.enrolled("W1")
    never_sent = handset.creates().record
    handset.seq = 0
    assert await held_codes(server, handset, handset.writes(never_sent, put("summary", "x"))) == ["unknown_record"]


async def test_an_edit_of_a_record_whose_creation_is_held_waits_with_it(server: Server) -> None:
    handset = await server.enrolled("W1")
    creation = handset.creates(put("patrol_type", "picnic"))
    edit = handset.writes(creation.record, put("summary", "小结"))
    assert await held_codes(server, handset, creation, edit) == ["invalid_value", "depends_on_held"]
    assert await held_codes(server, handset, handset.writes(creation.record)) == ["depends_on_held"]


async def test_a_record_is_created_once(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates()
    await server.exchanged(one, creation)
    again = two.writes(creation.record, put("grid_code", EAST), intent=creation.intent)
    assert await held_codes(server, two, again) == ["record_exists"]


async def test_what_is_written_once_is_held_when_its_author_had_seen_it(server: Server) -> None:
    handset = await server.enrolled("W1")
    first = handset.creates(add("missed", "m1", MISSED))
    again = handset.writes(first.record, add("missed", "m1", MISSED | {"reason": "堵车"}))
    assert await held_codes(server, handset, first, again) == ["immutable"]


@pytest.mark.parametrize(
    ("code", "field", "edit"),
    [
        ("invalid_value", "patrol_type", put("patrol_type", "picnic")),
        ("invalid_value", "summary", put("summary", None, key="key")),
        ("invalid_value", "handled_on_spot", put("handled_on_spot", 3)),
        ("not_committed", "summary", put("summary", "小结", digest_class=1)),
        ("server_decides", "record_no", put("record_no", "420106001001-20261122-X0001")),
        ("invalid_value", "state", put("state", "planned")),
    ],
)
async def test_an_op_that_breaks_a_rule_is_held_with_its_code_and_field(
    server: Server, code: str, field: str, edit: Edit
) -> None:
    handset = await server.enrolled("W1")
    answer = await server.exchanged(handset, handset.creates(edit))
    assert answer.held == (HeldOp(1, code, field),)


async def test_a_kind_that_the_server_does_not_know_is_held(server: Server) -> None:
    handset = await server.enrolled("W1")
    assert await held_codes(server, handset, handset.creates(kind="dragon_sighting")) == ["unknown_kind"]
    creation = handset.creates()
    other = handset.writes(creation.record, put("facts", "x"), kind="mediation")
    assert await held_codes(server, handset, creation, other) == ["unknown_kind"]


async def test_a_held_op_is_stored_answered_again_and_blocks_nothing_behind_it(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(), handset.creates(put("patrol_type", "picnic")), handset.creates()]
    raw = handset.request([handset.segment(ops)])
    for _ in range(2):
        answer = await server.answered(handset, raw)
        assert isinstance(answer, SyncResponse)
        assert answer.held == (HeldOp(2, "invalid_value", "patrol_type"),)
        runs = [(run.first_seq, run.count, run.first_position) for run in answer.accepted]
        assert runs == [(1, 1, 1), (3, 1, 2)]
        assert answer.known_seq == 3
    assert [each.hold for each in await stored_ops(server, handset)] == [None, "invalid_value", None]
    assert [each.op for each in await server.inspection.held()] == [ops[1]]


async def test_a_field_of_a_newer_kind_is_kept_and_handed_on(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    await server.exchanged(one, one.creates(put("mood", {"weather": ["grey", b"\x00"]})))
    await server.caught_up(two)
    [state] = two.replica.values()
    assert values_of(state, KINDS.get("patrol"))["mood"] == {"weather": ["grey", b"\x00"]}


async def test_nobody_names_a_position_that_he_was_never_served(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("summary", "甲"))
    await server.exchanged(one, creation)
    await server.caught_up(two)
    await server.exchanged(one, one.writes(creation.record, put("summary", "甲二")))
    await server.exchanged(two, two.writes(creation.record, put("summary", "乙"), seen=1_000_000))
    [line] = await server.inspection.records(in_conflict=True)
    assert {head.value for head in line.conflicts[0].heads} == {"甲二", "乙"}


async def test_a_poisoned_clock_is_stamped_at_most_a_minute_ahead(server: Server) -> None:
    handset = await server.enrolled("W1")
    op = handset.creates()
    ahead = replace(op.clock, hlc=type(op.clock.hlc)(op.clock.hlc + (86_400_000 * 3650 << 16)))
    handset.written[1] = replace(op, clock=ahead)
    await server.exchanged(handset, handset.written[1])
    [stored] = await stored_ops(server, handset)
    assert stored.stamp == (server.clock.now_ms + 60_000) << 16


async def test_an_op_is_stamped_above_all_that_its_author_had_seen(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("weather", "rain"))
    ahead = replace(creation.clock, hlc=type(creation.clock.hlc)((START_MS + 50_000) << 16))
    one.written[1] = creation = replace(creation, clock=ahead)
    own = one.writes(creation.record, put("weather", "sunny"))
    await server.exchanged(one, creation, own)
    await server.caught_up(two)
    theirs = two.writes(creation.record, put("weather", "snow"))
    await server.exchanged(two, theirs)
    [first, second] = await stored_ops(server, one)
    [third] = await stored_ops(server, two)
    assert first.stamp is not None
    assert (second.stamp, third.stamp) == (first.stamp + 1, first.stamp + 2)
    [line] = await server.inspection.records()
    assert line.values["weather"] == "snow"
    await server.caught_up(one)
    assert one.digest() == two.digest()


async def test_the_log_chain_can_be_followed_from_its_start(server: Server) -> None:
    handsets = [await server.enrolled(f"W{number}") for number in range(3)]
    for _ in range(3):
        for handset in handsets:
            await server.exchanged(handset, handset.creates(), handset.creates(put("patrol_type", "picnic")))
    stored = [each for handset in handsets for each in await stored_ops(server, handset) if each.position]
    link = log_start(TENANCY.tenant, TENANCY.epoch)
    async with server.store.reading() as snapshot:
        for each in sorted(stored, key=lambda found: found.position or 0):
            assert each.position is not None
            assert each.stamp is not None
            assert each.hash == op_hash(each.op)
            link = log_next(
                link,
                position=each.position,
                entry_type=EntryType.ACCEPTED,
                op=OpId(*each.op.id),
                op_hash=each.hash,
                stamp=each.stamp,
            )
            assert await snapshot.ledger.log_hash(each.position) == link
        assert (await snapshot.ledger.log_head()).position == len(stored) == 9


async def held_codes(server: Server, handset: Handset, *ops: Op) -> list[str]:
    answer = await server.exchanged(handset, *ops)
    return [each.code for each in answer.held]
