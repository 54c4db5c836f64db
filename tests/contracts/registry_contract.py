"""What every store must do with people, devices, codes and clocks: part of the store contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from gridlog_protocol.ids import DeviceHandle, ScopeId, UserId
from gridlog_server.store.contract import (
    Account,
    Act,
    Code,
    Session,
    Store,
    Transaction,
)
from gridlog_sync.clocks import Tier
from tests.contracts.facts import (
    DEVICE,
    EAST,
    START_MS,
    WEST,
    a_commit,
    a_device,
    a_person,
    a_record,
    accepted,
    an_op,
    answering,
    counts,
    held,
    noting,
    people,
    putting,
    write,
)


async def put_account(transaction: Transaction, *, account: Account) -> None:
    await transaction.accounts.put_account(account)


async def put_session(transaction: Transaction, *, session: Session) -> None:
    await transaction.accounts.put_session(session)


async def standing(store: Store, sessions: Sequence[Session]) -> list[int]:
    async with store.reading() as snapshot:
        found = [await snapshot.accounts.session(each.id) for each in sessions]
    return [number for number, each in enumerate(found) if each is not None]


class RegistryContract:
    """Tests of `Registry` and of flagged records, for a class that provides `store`."""

    async def test_people_come_by_staff_number_with_the_grids_they_have_now(self, store: Store) -> None:
        for person in (a_person(2, EAST), a_person(1, EAST, WEST), a_person(2, WEST, status="suspended")):
            await store.commit(answering(person, None))
        assert await people(store) == [a_person(1, EAST, WEST), a_person(2, WEST, status="suspended")]
        async with store.reading() as snapshot:
            assert await snapshot.registry.person(a_person(1).id) == a_person(1, EAST, WEST)
            assert await snapshot.registry.person(UserId(bytes(16))) is None

    async def test_a_grid_is_assigned_as_long_as_anybody_has_it(self, store: Store) -> None:
        async def assigned() -> set[ScopeId]:
            async with store.reading() as snapshot:
                return await snapshot.registry.assigned()

        assert await assigned() == set()
        for person in (a_person(1, EAST, WEST), a_person(2, EAST)):
            await store.commit(answering(person, None))
        assert await assigned() == {EAST, WEST}
        await store.commit(answering(a_person(1, EAST), None))
        assert await assigned() == {EAST}

    async def test_devices_come_in_the_order_of_their_enrolment(self, store: Store) -> None:
        await store.commit(answering(a_person(1), None))
        late, early = a_device(1, enrolled_ms=START_MS + 1), a_device(2, counter=(1 << 63) - 1, clock_ahead_ms=-5)
        for device in (replace(late, clock_ahead_ms=9), early, replace(late, status="suspended", report={})):
            await store.commit(putting(device))
        async with store.reading() as snapshot:
            assert await snapshot.registry.devices() == [early, replace(late, status="suspended", report={})]
            assert await snapshot.registry.device(early.handle) == early
            assert await snapshot.registry.device(DeviceHandle(bytes(8))) is None

    async def test_a_device_keeps_its_own_words_and_the_orders_to_it(self, store: Store) -> None:
        await store.commit(answering(a_person(1), None))
        ordered = replace(a_device(1), about={"battery": 80}, order=3, wipe_ordered_ms=4, order_fetched_ms=5)
        for device in (ordered, replace(ordered, wipe_ordered_ms=None, wiped_ms=6)):
            await store.commit(putting(device))
            async with store.reading() as snapshot:
                assert await snapshot.registry.devices() == [device]

    async def test_what_administrators_did_comes_newest_first_and_stays(self, store: Store) -> None:
        acts = [Act(START_MS, "alice as gridlog", "enroll", f"W{number}", "") for number in range(3)]
        for act in acts:
            await store.commit(noting(act))
        async with store.reading() as snapshot:
            assert await snapshot.registry.acts(9) == acts[::-1]
            assert await snapshot.registry.acts(1) == acts[2:]
            assert await snapshot.registry.acts(9, subject="W1") == [acts[1]]

    async def test_an_account_comes_as_it_was_put_last(self, store: Store) -> None:
        first = Account(a_person(1).id, "$argon2id$", START_MS, frozenset({"supervisor", "worker"}), EAST)
        other = Account(a_person(2).id)
        for person in (a_person(1), a_person(2)):
            await store.commit(answering(person, None))
        for account in (first, other, replace(first, roles=frozenset(), subtree="")):
            await store.commit(partial(put_account, account=account))
        async with store.reading() as snapshot:
            assert await snapshot.accounts.account(first.person) == replace(first, roles=frozenset(), subtree="")
            assert await snapshot.accounts.account(UserId(bytes(16))) is None
            assert {each.person for each in await snapshot.accounts.accounts()} == {first.person, other.person}

    async def test_sessions_end_one_by_one_by_person_by_age_and_with_whoever_is_disabled(self, store: Store) -> None:
        for number in (1, 2, 3):
            await store.commit(answering(a_person(number), None))
        sessions = [
            Session(bytes([number]) * 32, a_person(1 + number // 4).id, START_MS + number, START_MS + 9, START_MS)
            for number in range(8)
        ]
        sessions.append(Session(b"c" * 32, a_person(3).id, START_MS + 9, START_MS + 9, START_MS))
        for session in (*sessions, replace(sessions[7], used_ms=START_MS + 99, proved_ms=START_MS + 98)):
            await store.commit(partial(put_session, session=session))
        await store.commit(lambda each: each.accounts.end_session(sessions[3].id))
        await store.commit(lambda each: each.accounts.end_sessions_before(begun_ms=START_MS + 1, used_ms=START_MS))
        await store.commit(answering(a_person(3, status="disabled"), None))
        assert await standing(store, sessions) == [1, 2, 4, 5, 6, 7]
        assert await store.commit(lambda each: each.accounts.end_sessions_of(a_person(1).id)) == 2
        await store.commit(lambda each: each.accounts.end_sessions_before(begun_ms=0, used_ms=START_MS + 10))
        assert await standing(store, sessions) == [7]
        async with store.reading() as snapshot:
            found = await snapshot.accounts.session(sessions[7].id)
        assert found == replace(sessions[7], used_ms=START_MS + 99, proved_ms=START_MS + 98)

    async def test_a_code_remembers_the_device_that_used_it(self, store: Store) -> None:
        await store.commit(answering(a_person(1), None))
        code = Code(b"12345678", b"h" * 32, a_person(1).id, START_MS, None)
        for each in (code, replace(code, device=DEVICE)):
            await store.commit(putting(each))
            async with store.reading() as snapshot:
                assert await snapshot.registry.code(code.id) == each
                assert await snapshot.registry.code(b"87654321") is None

    async def test_records_are_flagged_by_the_worst_clock_among_their_ops_held_or_not(self, store: Store) -> None:
        ops = [
            accepted(an_op(1, 1), 1),
            accepted(an_op(2, 1), 2, Tier.CORRECTED),
            held(an_op(3, 1), tier=Tier.REVIEW),
            accepted(an_op(4, 2), 3, Tier.CORRECTED),
            accepted(an_op(5, 3), 4),
            accepted(an_op(6, 4), 5, Tier.REVIEW),
        ]
        await write(store, a_commit(ops=ops))
        async with store.reading() as snapshot:
            found = await snapshot.flagged([a_record(number) for number in (1, 2, 3)])
            assert await snapshot.flagged([]) == {}
        assert found == {a_record(1): Tier.REVIEW, a_record(2): Tier.CORRECTED}
        assert {name: (await counts(store))[name] for name in ("clock_corrected", "clock_review")} == {
            "clock_corrected": 2,
            "clock_review": 2,
        }
