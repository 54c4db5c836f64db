"""People: who writes, in which grids, and whether he may.

The rule it keeps: grids are told to a device once, at enrolment; so they cannot change under a device that is in use.
"""

from __future__ import annotations

from collections.abc import Collection

from gridlog_protocol.ids import TENANT_SCOPE, ScopeId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.limits import SCOPES_MAX
from gridlog_protocol.texts import Text
from gridlog_server.store.contract import Person, Transaction
from gridlog_sync.view import values_of

from .refusing import RefusedError

NAME_BYTES_MAX = 256
GRID = "grid"
GRIDS_MAX = 100_000
ACTIVE, DISABLED, REVOKED = "active", "disabled", "revoked"


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


async def check_grids_exist(transaction: Transaction, grids: Collection[ScopeId], kinds: KindSet) -> None:
    """Make sure that these grids were imported, unless none ever were: then there is nothing to compare with.

    Raises RefusedError.
    """
    imported = await transaction.listed(kind=GRID, in_conflict=False, limit=GRIDS_MAX)
    codes = {str(values_of(each.state, kinds.get(GRID)).get("grid_code")) for each in imported}
    unknown = sorted(set(grids) - codes)
    if codes and unknown:
        raise RefusedError(
            f"没有编码为 {unknown[0]} 的网格，见 gridlog-server admin grid list。",
            f"There is no grid {unknown[0]}: see gridlog-server admin grid list.",
        )


async def check_reassignable(transaction: Transaction, person: Person, grids: frozenset[ScopeId]) -> None:
    """Make sure that no device in use would hear nothing of a change of grids. Raises RefusedError."""
    if person.scopes != grids and any(
        each.person == person.id and each.status != REVOKED for each in await transaction.registry.devices()
    ):
        raise RefusedError(
            "这个人已有终端，还不能更换网格：请写原来的网格，或先作废旧终端。",
            "This person already has a device, and its grids cannot be changed yet: name the same grids, or revoke "
            "the device first.",
        )


def _check_text(text: str, what: Text) -> None:
    if not isinstance(text, str) or not text or len(text.encode()) > NAME_BYTES_MAX:
        raise RefusedError(
            f"{what.zh}不能为空，也不能超过 {NAME_BYTES_MAX} 字节。",
            f"{what.en} has at least one letter and at most {NAME_BYTES_MAX} bytes.",
        )
