"""How a command is refused: with a sentence for whoever typed it."""

from __future__ import annotations

from gridlog_protocol.texts import Text


class RefusedError(ValueError):
    """A command cannot be carried out, and nothing was changed. `text` says why, in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.text = Text(zh, en)
        super().__init__(en)
