"""Who asks, and what he may: roles on a subtree of the grids. Every service of the console asks here first.

worker          writes on his handheld; nothing here
supervisor      reads and decides about records of his grids, and no others
administrator   people, devices, grids, accounts; never what a record says
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gridlog_protocol.ids import ScopeId, UserId
from gridlog_protocol.texts import Text

from .refusing import RefusedError

PROOF_FRESH_MS: Final = 5 * 60_000
"""How long a password proof counts for acts that cannot be taken back."""


class Role(StrEnum):
    """What somebody may do in the office."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"


ROLE_LABELS: Final = {
    Role.WORKER: Text("网格员", "Worker"),
    Role.SUPERVISOR: Text("督导", "Supervisor"),
    Role.ADMINISTRATOR: Text("管理员", "Administrator"),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as a session says. `grids` are those whose records he may see: of a supervisor's subtree, expanded.

    `session` names the session in the list of acts, and opens nothing; `csrf` goes into the forms of this session.
    `stepped_up_ms` is when he last gave his password (Unix ms). `typed_by` is empty, or who typed a command for him
    on the server's machine, by the operating system's word.
    """

    person: UserId
    staff_no: str
    name: str
    roles: frozenset[Role]
    grids: frozenset[ScopeId]
    session: str
    csrf: str
    stepped_up_ms: int
    typed_by: str = ""

    @property
    def named(self) -> str:
        """How acts and decisions name him."""
        typed = f" ({self.typed_by})" if self.typed_by else ""
        return f"{self.staff_no} {self.name}{typed}"


class ForbiddenError(RefusedError):
    """Whoever asks may not do this."""


class ProofWantedError(RefusedError):
    """Whoever asks has to give his password once more, and may then."""


def require(caller: Caller, role: Role) -> None:
    """Make sure that somebody has a role. Raises ForbiddenError."""
    if role not in caller.roles:
        label = ROLE_LABELS[role]
        raise ForbiddenError(f"这项操作只有{label.zh}可以做。", f"Only a {label.en.lower()} may do this.")


def is_proved(caller: Caller, now_ms: int) -> bool:
    """Tell whether the password was given a moment ago."""
    return 0 <= now_ms - caller.stepped_up_ms <= PROOF_FRESH_MS


def require_proof(caller: Caller, now_ms: int) -> None:
    """Make sure that the password was given a moment ago. Raises ProofWantedError."""
    if not is_proved(caller, now_ms):
        raise ProofWantedError("请再输入一次密码，然后继续。", "Give your password once more to go on.")


def ordered_by(by: Caller | str, now_ms: int) -> str:
    """Return who gives an administrator's order, for the list of acts.

    A text is the operating system's word for whoever typed a command on the server's machine. Raises ForbiddenError,
    ProofWantedError.
    """
    if isinstance(by, str):
        return by
    require(by, Role.ADMINISTRATOR)
    require_proof(by, now_ms)
    return by.named
