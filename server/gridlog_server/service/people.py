"""People: who writes, in which grids, and whether he may.

The rule it keeps: grids are told to a device once, at enrolment; so they cannot change under a device that is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from gridlog_protocol.ids import TENANT_SCOPE, ScopeId, UserId
from gridlog_protocol.limits import SCOPES_MAX
from gridlog_protocol.texts import Text
from gridlog_server.store.contract import Act, Person, Store, Transaction

from .grid_tree import GridTree
from .refusing import RefusedError, checked_reason
from .standing import AT_AN_END

NAME_BYTES_MAX = 256
ACTIVE, DISABLED = "active", "disabled"


class People:
    """The use cases behind `gridlog-server admin user`."""

    def __init__(
        self, store: Store, tree: GridTree, *, now_ms: Callable[[], int], entropy: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._tree = tree
        self._now_ms = now_ms
        self._entropy = entropy

    async def add(self, staff_no: str, name: str, grids: Collection[str], *, by: str) -> Person:
        """Make somebody known. Raises RefusedError if the staff number is taken."""
        check_person(staff_no, name)
        person = Person(UserId(self._entropy(16)), staff_no, name, ACTIVE, checked_grids(grids))

        async def work(transaction: Transaction) -> Person:
            if any(each.staff_no == staff_no for each in await transaction.registry.people()):
                raise RefusedError(f"工号 {staff_no} 已有人使用。", f"The staff number {staff_no} is taken.")
            await check_grids_exist(transaction, person.scopes, self._tree)
            return await self._put(transaction, person, "user.add", f"{name} {_listed(person)}", by)

        return await self._store.commit(work)

    async def grids(self) -> list[tuple[str, str]]:
        """Return code and name of each grid that was imported, by code. A name may be empty."""
        async with self._store.reading() as snapshot:
            names = await self._tree.names(snapshot)
            return [(code, names.get(ScopeId(code), "")) for code in sorted(await self._tree.codes(snapshot))]

    async def assign(self, staff_no: str, grids: Collection[str], *, by: str) -> Person:
        """Let somebody work in these grids and no others. Raises RefusedError."""
        scopes = checked_grids(grids)

        async def work(transaction: Transaction) -> Person:
            person = await the_person(transaction, staff_no)
            await check_grids_exist(transaction, scopes, self._tree)
            await check_reassignable(transaction, person, scopes)
            changed = replace(person, scopes=scopes)
            return await self._put(transaction, changed, "user.grids", _listed(changed), by)

        return await self._store.commit(work)

    async def disable(self, staff_no: str, *, by: str, reason: str) -> Person:
        """Turn away all devices of somebody, and give him no other. Raises RefusedError."""
        return await self._change(staff_no, DISABLED, "user.disable", by, reason)

    async def enable(self, staff_no: str, *, by: str, reason: str) -> Person:
        """Let somebody work again. Raises RefusedError."""
        return await self._change(staff_no, ACTIVE, "user.enable", by, reason)

    async def _change(self, staff_no: str, status: str, what: str, by: str, reason: str) -> Person:
        why = checked_reason(reason)

        async def work(transaction: Transaction) -> Person:
            person = await the_person(transaction, staff_no)
            if (person.status == ACTIVE) == (status == ACTIVE):
                zh, en = ("在用", "active") if status == ACTIVE else ("停用", "disabled")
                raise RefusedError(f"{staff_no} 已经{zh}。", f"{staff_no} is {en} already.")
            return await self._put(transaction, replace(person, status=status), what, why, by)

        return await self._store.commit(work)

    async def _put(self, transaction: Transaction, person: Person, what: str, detail: str, by: str) -> Person:
        await transaction.registry.put_person(person)
        await transaction.registry.note(Act(self._now_ms(), by, what, person.staff_no, detail))
        return person


def checked_grids(grids: Collection[str]) -> frozenset[ScopeId]:
    """Return grids that a device can be told. Raises RefusedError."""
    if TENANT_SCOPE in grids:
        raise RefusedError(f"“{TENANT_SCOPE}”不是网格。", f"{TENANT_SCOPE!r} is not a grid.")
    if len(set(grids)) >= SCOPES_MAX:
        raise RefusedError(f"一个人最多 {SCOPES_MAX - 1} 个网格。", f"One person has at most {SCOPES_MAX - 1} grids.")
    for grid in grids:
        _check_text(grid, Text("网格编码", "A grid code"))
    return frozenset(ScopeId(grid) for grid in grids)


def check_person(staff_no: str, name: str) -> None:
    """Make sure that a staff number and a name can be told to a device. Raises RefusedError."""
    _check_text(staff_no, Text("工号", "The staff number"))
    _check_text(name, Text("姓名", "The name"))


async def the_person(transaction: Transaction, staff_no: str) -> Person:
    """Return whoever has a staff number. Raises RefusedError."""
    for each in await transaction.registry.people():
        if each.staff_no == staff_no:
            return each
    raise RefusedError(
        f"没有工号为 {staff_no} 的人，见 gridlog-server admin user list。",
        f"Nobody has the staff number {staff_no}: see gridlog-server admin user list.",
    )


async def check_grids_exist(transaction: Transaction, grids: Collection[ScopeId], tree: GridTree) -> None:
    """Make sure that these grids were imported, unless none ever were: then there is nothing to compare with.

    Raises RefusedError.
    """
    codes = await tree.codes(transaction)
    unknown = sorted(set(grids).difference(codes))
    if codes and unknown:
        raise RefusedError(
            f"没有编码为 {unknown[0]} 的网格，见 gridlog-server admin grid list。",
            f"There is no grid {unknown[0]}: see gridlog-server admin grid list.",
        )


async def check_reassignable(transaction: Transaction, person: Person, grids: frozenset[ScopeId]) -> None:
    """Make sure that no device in use would hear nothing of a change of grids. Raises RefusedError."""
    if person.scopes != grids and any(
        each.person == person.id and each.status not in AT_AN_END for each in await transaction.registry.devices()
    ):
        raise RefusedError(
            "这个人已有终端，还不能更换网格：请写原来的网格，或先作废旧终端。",
            "This person already has a device, and its grids cannot be changed yet: name the same grids, or revoke "
            "the device first.",
        )


def _listed(person: Person) -> str:
    return " ".join(sorted(person.scopes))


def _check_text(text: str, what: Text) -> None:
    if not isinstance(text, str) or not text or len(text.encode()) > NAME_BYTES_MAX:
        raise RefusedError(
            f"{what.zh}不能为空，也不能超过 {NAME_BYTES_MAX} 字节。",
            f"{what.en} has at least one letter and at most {NAME_BYTES_MAX} bytes.",
        )
