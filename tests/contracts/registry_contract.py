"""What every store must do with people, devices, codes and clocks: part of the store contract."""

from __future__ import annotations

from dataclasses import replace

from gridlog_protocol.ids import DeviceHandle, UserId
from gridlog_server.store.contract import (
    Act,
    Code,
    Store,
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


class RegistryContract:
    """Tests of `Registry` and of flagged records, for a class that provides `store`."""

    async def test_people_come_by_staff_number_with_the_grids_they_have_now(self, store: Store) -> None:
        for person in (a_person(2, EAST), a_person(1, EAST, WEST), a_person(2, WEST, status="suspended")):
            await store.commit(answering(person, None))
        assert await people(store) == [a_person(1, EAST, WEST), a_person(2, WEST, status="suspended")]
        async with store.reading() as snapshot:
            assert await snapshot.registry.person(a_person(1).id) == a_person(1, EAST, WEST)
            assert await snapshot.registry.person(UserId(bytes(16))) is None

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
