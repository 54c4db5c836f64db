from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gridlog_server.service.accounts import Caller, ForbiddenError, ProofWantedError, Role, SignInRefusedError
from gridlog_server.service.guessing import OF_ACCOUNT, OF_ADDRESS, Guesses
from gridlog_server.service.permitting import PROOF_FRESH_MS
from gridlog_server.service.refusing import RefusedError
from tests.unit.server.building import EAST, START_MS, WEST, Server

PASSWORD, OTHER = "晚饭后在楼下散步 7 圈", "another long password"
MINUTE, HOUR = 60_000, 3_600_000
STREET, QUARTER = "420106001", "420106001001"


async def made(server: Server, staff_no: str = "S1", role: str = "supervisor", subtree: str = "") -> None:
    await server.people.add(staff_no, f"督导{staff_no}", [], by="root")
    await server.accounts.set_password(staff_no, PASSWORD, by="root")
    await server.accounts.grant(staff_no, [role], subtree, by="root")


async def signed_in(server: Server, staff_no: str = "S1", password: str = PASSWORD) -> tuple[str, Caller]:
    return await server.accounts.sign_in(staff_no, password, address="198.51.100.7")


async def refused(server: Server, staff_no: str, password: str, address: str = "198.51.100.7") -> str:
    with pytest.raises(SignInRefusedError) as refusal:
        await server.accounts.sign_in(staff_no, password, address=address)
    return refusal.value.text.zh


async def rows(server: Server, sql: str) -> list[tuple[object, ...]]:
    async with server.store.reading() as snapshot:
        return [tuple(row) for row in await snapshot.ledger._all(sql)]  # type: ignore[attr-defined]


def a_grid(code: str, parent: str, level: int) -> dict[str, str]:
    return {"grid_code": code, "name": f"网格{code[-3:]}", "parent_code": parent, "level": str(level)}


async def with_a_tree(server: Server) -> None:
    # Codes say nothing: one that begins as another lies elsewhere, one that begins otherwise lies below.
    tree = [
        a_grid(STREET, "420106", 0),
        a_grid(QUARTER, STREET, 1),
        a_grid(EAST, QUARTER, 3),
        a_grid("990000000000001", QUARTER, 3),
        a_grid(WEST, "420106009", 3),
    ]
    await server.grids.write(tree, by="root")


async def test_whoever_signs_in_is_known_by_the_token_and_the_database_has_only_its_hash(server: Server) -> None:
    await made(server)
    token, caller = await signed_in(server)
    assert (caller.staff_no, caller.name, caller.roles) == ("S1", "督导S1", frozenset({Role.SUPERVISOR}))
    assert await server.accounts.caller(token) == caller
    assert await server.accounts.caller(token[:-1]) is None
    kept = repr(await rows(server, "SELECT hex(id), person, begun_ms FROM session"))
    assert len(token) == 64
    assert token not in kept.lower()
    assert caller.csrf not in kept.lower()
    stored = str((await rows(server, "SELECT password FROM account"))[0][0])
    assert stored.startswith("$argon2id$v=19$")


async def test_every_sign_in_is_a_new_session_with_a_csrf_value_of_its_own(server: Server) -> None:
    await made(server)
    (first, one), (second, other) = await signed_in(server), await signed_in(server)
    assert first != second
    assert one.csrf != other.csrf
    assert one.session != other.session
    await server.accounts.sign_out(first)
    assert await server.accounts.caller(first) is None
    assert await server.accounts.caller(second) == other


async def test_nobody_learns_why_he_cannot_sign_in(server: Server) -> None:
    await made(server)
    await made(server, "S2")
    await server.people.disable("S2", by="root", reason="")
    await server.people.add("W1", "张三", [], by="root")
    attempts = [("S1", OTHER), ("S1", "x" * 9999), ("S2", PASSWORD), ("W1", ""), ("W1", PASSWORD), ("W9", PASSWORD)]
    assert len({await refused(server, *each) for each in attempts}) == 1
    assert await rows(server, "SELECT * FROM session") == []


async def test_a_session_ends_after_fifteen_idle_minutes_and_its_use_is_noted_once_a_minute(server: Server) -> None:
    await made(server)
    token, _ = await signed_in(server)
    begun = await rows(server, "SELECT used_ms FROM session")
    server.clock.now_ms += MINUTE - 1
    assert await server.accounts.caller(token)
    assert await rows(server, "SELECT used_ms FROM session") == begun
    server.clock.now_ms += 14 * MINUTE
    assert await server.accounts.caller(token)
    assert await rows(server, "SELECT used_ms FROM session") == [(server.clock.now_ms,)]
    server.clock.now_ms += 15 * MINUTE
    assert await server.accounts.caller(token) is None


async def test_a_session_ends_after_twelve_hours_although_it_is_in_use(server: Server) -> None:
    await made(server)
    token, _ = await signed_in(server)
    for _ in range(71):
        server.clock.now_ms += 10 * MINUTE
        assert await server.accounts.caller(token)
    server.clock.now_ms += 10 * MINUTE
    assert await server.accounts.caller(token) is None
    await signed_in(server)
    assert len(await rows(server, "SELECT id FROM session")) == 1


async def test_a_clock_set_back_behind_its_beginning_ends_a_session(server: Server) -> None:
    await made(server)
    token, _ = await signed_in(server)
    server.clock.now_ms -= HOUR
    assert await server.accounts.caller(token) is None


@pytest.mark.parametrize("change", ["password", "roles", "disable", "sign_out"])
async def test_all_sessions_end_when_somebody_changes_what_they_stand_for(server: Server, change: str) -> None:
    await made(server)
    await made(server, "S2")
    tokens = [(await signed_in(server))[0], (await signed_in(server))[0]]
    others, _ = await signed_in(server, "S2")
    match change:
        case "password":
            assert (await server.accounts.set_password("S1", OTHER, by="root")).ended == 2
        case "roles":
            assert (await server.accounts.grant("S1", ["worker"], "", by="root")).ended == 2
        case "sign_out":
            assert await server.accounts.end_sessions("S1", by="root") == 2
        case _:
            await server.people.disable("S1", by="root", reason="")
            await server.people.enable("S1", by="root", reason="")
    assert [await server.accounts.caller(each) for each in tokens] == [None, None]
    assert await server.accounts.caller(others)


async def test_whoever_changes_his_password_goes_on_in_a_new_session_and_no_other_is_left(server: Server) -> None:
    await made(server)
    (token, _), (other, _) = await signed_in(server), await signed_in(server)
    with pytest.raises(SignInRefusedError):
        await server.accounts.change_password(token, OTHER, OTHER)
    with pytest.raises(RefusedError, match="10 to 128"):
        await server.accounts.change_password(token, PASSWORD, "九个字符的新密码啊")
    fresh, caller = await server.accounts.change_password(token, PASSWORD, OTHER)
    assert [await server.accounts.caller(each) for each in (token, other)] == [None, None]
    assert await server.accounts.caller(fresh) == caller
    await refused(server, "S1", PASSWORD)
    await signed_in(server, password=OTHER)


async def test_a_password_has_ten_characters_of_whatever_script_and_is_bounded(server: Server) -> None:
    await made(server)
    for wrong in ("", "short", "九个字的密码还不够", "aaaaaaaaaaaa", "x1" * 65, "ﷺ" * 128):
        with pytest.raises(RefusedError, match="10 to 128"):
            await server.accounts.set_password("S1", wrong, by="root")
    for right in ("十个字的密码刚刚好了", "x1" * 64, "é" * 9 + "\ud800"):
        await server.accounts.set_password("S1", right, by="root")
        await signed_in(server, password=right)


async def test_a_password_is_the_same_however_a_keyboard_composes_it(server: Server) -> None:
    await made(server)
    await server.accounts.set_password("S1", "cafe\u0301 １２３４５６", by="root")
    assert await signed_in(server, password="café 123456")


async def test_after_some_failures_the_right_password_waits_too_and_then_opens(server: Server) -> None:
    await made(server)
    for _ in range(OF_ACCOUNT.free):
        await refused(server, "S1", OTHER)
    await refused(server, "S1", PASSWORD)
    server.clock.now_ms += OF_ACCOUNT.pause_ms_max
    await signed_in(server)
    for _ in range(OF_ACCOUNT.free - 1):
        await refused(server, "S1", OTHER)
    await signed_in(server)


async def test_guesses_that_come_at_once_are_counted_each(server: Server) -> None:
    await made(server)
    guesses = [server.accounts.sign_in("S1", f"wrong password {n}", address=f"192.0.2.{n}") for n in range(30)]
    right = server.accounts.sign_in("S1", PASSWORD, address="198.51.100.7")
    answers = await asyncio.gather(*guesses, right, return_exceptions=True)
    assert all(isinstance(each, SignInRefusedError) for each in answers)


async def test_whoever_tries_one_password_on_many_people_is_slowed_down_by_his_address(server: Server) -> None:
    await made(server)
    for number in range(OF_ADDRESS.free):
        await refused(server, f"P{number}", PASSWORD, "192.0.2.1")
    await refused(server, "S1", PASSWORD, "192.0.2.1")
    await signed_in(server)


def test_the_memory_of_failures_is_bounded_and_fades() -> None:
    guesses = Guesses(OF_ACCOUNT)
    for number in range(30_000):
        assert guesses.may_try("x" * 1000 + str(number), START_MS)
    assert len(guesses) == 10_000
    for _ in range(200):
        guesses.may_try("S1", START_MS)
    assert not guesses.may_try("S1", START_MS)
    assert guesses.may_try("S1", START_MS + HOUR)


async def test_a_proof_counts_for_five_minutes_and_is_slowed_down_like_a_sign_in(server: Server) -> None:
    await made(server, "A1", "administrator")
    await made(server, "S1")
    token, caller = await signed_in(server, "A1")
    server.clock.now_ms += PROOF_FRESH_MS + 1
    stale = await server.accounts.caller(token)
    assert stale
    with pytest.raises(ProofWantedError):
        await server.accounts.grant("S1", ["worker"], "", by=stale)
    for _ in range(OF_ACCOUNT.free):
        with pytest.raises(SignInRefusedError):
            await server.accounts.prove(token, OTHER)
    with pytest.raises(SignInRefusedError):
        await server.accounts.prove(token, PASSWORD)
    server.clock.now_ms += MINUTE
    proved = await server.accounts.prove(token, PASSWORD)
    assert proved == replace(caller, stepped_up_ms=server.clock.now_ms)
    granted = await server.accounts.grant("S1", ["worker"], "", by=proved)
    assert granted.account.roles == {"worker"}
    assert (await server.inspection.acts(1))[0].by == "A1 督导A1"


@pytest.mark.parametrize("role", ["worker", "supervisor"])
async def test_only_an_administrator_gives_passwords_and_roles(server: Server, role: str) -> None:
    await made(server, "S1", role)
    _, caller = await signed_in(server)
    with pytest.raises(ForbiddenError):
        await server.accounts.grant("S1", ["administrator"], "", by=caller)
    with pytest.raises(ForbiddenError):
        await server.accounts.set_password("S1", OTHER, by=caller)
    with pytest.raises(ForbiddenError):
        await server.accounts.end_sessions("S1", by=caller)


async def test_a_supervisor_sees_the_grids_below_his_own_by_parents_never_by_codes(server: Server) -> None:
    await with_a_tree(server)
    await made(server, "S1", "supervisor", QUARTER)
    await made(server, "S2", "supervisor", "")
    await made(server, "A1", "administrator", QUARTER)
    _, caller = await signed_in(server)
    assert caller.grids == {QUARTER, EAST, "990000000000001"}
    assert (await signed_in(server, "S2"))[1].grids == {STREET, QUARTER, EAST, WEST, "990000000000001"}
    assert (await signed_in(server, "A1"))[1].grids == frozenset()


async def test_a_grid_that_is_imported_later_belongs_to_the_supervisor_above_it_at_once(server: Server) -> None:
    await with_a_tree(server)
    await made(server, "S1", "supervisor", QUARTER)
    token, _ = await signed_in(server)
    await server.grids.write([a_grid("420106001001007", EAST, 4)], by="root")
    caller = await server.accounts.caller(token)
    assert caller
    assert "420106001001007" in caller.grids


async def test_parents_in_a_circle_end_the_search(server: Server) -> None:
    await server.grids.write([a_grid(EAST, WEST, 3), a_grid(WEST, EAST, 3)], by="root")
    await made(server, "S1", "supervisor", EAST)
    assert (await signed_in(server))[1].grids == {EAST, WEST}


async def test_a_role_or_a_grid_that_is_none_is_refused_and_changes_nothing(server: Server) -> None:
    await with_a_tree(server)
    await made(server, "S1", "supervisor", EAST)
    before = await rows(server, "SELECT * FROM account")
    for roles, subtree in ((["king"], ""), ([], ""), (["supervisor"], "420106001001999")):
        with pytest.raises(RefusedError):
            await server.accounts.grant("S1", roles, subtree, by="root")
    assert await rows(server, "SELECT * FROM account") == before
