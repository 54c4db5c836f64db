"""How a command is refused: with a sentence for whoever typed it."""

from __future__ import annotations

from gridlog_protocol.limits import REASON_CHARACTERS_MAX
from gridlog_protocol.texts import Text

_REASON_CHARACTERS_MIN = 2


class RefusedError(ValueError):
    """A command cannot be carried out, and nothing was changed. `text` says why, in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.text = Text(zh, en)
        super().__init__(en)


def checked_reason(reason: str, *, is_wanted: bool = False) -> str:
    """Return the reason of an act, which fits into a line of a table. Raises RefusedError.

    It may be empty unless it `is_wanted`.
    """
    if not isinstance(reason, str) or len(reason.strip()) > REASON_CHARACTERS_MAX:
        raise RefusedError(
            f"理由最多 {REASON_CHARACTERS_MAX} 个字。", f"A reason has at most {REASON_CHARACTERS_MAX} characters."
        )
    if is_wanted and len(reason.strip()) < _REASON_CHARACTERS_MIN:
        raise RefusedError("请用 --reason 写明理由。", "Say why, with --reason.")
    return reason.strip()
