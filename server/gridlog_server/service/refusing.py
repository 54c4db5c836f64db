"""How a command is refused: with a sentence for whoever typed it."""

from __future__ import annotations

from gridlog_protocol.limits import REASON_CHARACTERS_MAX
from gridlog_protocol.texts import Text


class RefusedError(ValueError):
    """A command cannot be carried out, and nothing was changed. `text` says why, in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.text = Text(zh, en)
        super().__init__(en)


def checked_reason(reason: str) -> str:
    """Return the reason of an act, which may be empty and fits into a line of a table. Raises RefusedError."""
    if not isinstance(reason, str) or len(reason.strip()) > REASON_CHARACTERS_MAX:
        raise RefusedError(
            f"理由最多 {REASON_CHARACTERS_MAX} 个字。", f"A reason has at most {REASON_CHARACTERS_MAX} characters."
        )
    return reason.strip()
