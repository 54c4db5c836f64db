"""Write logs for people or for machines, and never what somebody wrote in a note.

The rule it keeps: a line has what our own code put into its format, and nothing of an unforeseen exception but its
type and where it came from. Messages of exceptions quote values; those of the system and of SQLite do not.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias

_Caught: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_CHAIN_MAX = 5
_LOUD = ("aiosqlite", "asyncio", "aiohttp")


@dataclass(slots=True)
class Visit:
    """One request, while it is being answered: its id, and the device once its signature is verified."""

    id: str
    device: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


_visit: ContextVar[Visit | None] = ContextVar("visit", default=None)


@contextmanager
def visiting(visit: Visit) -> Iterator[None]:
    """Let every line that is logged meanwhile, in this task, carry the visit's id."""
    token = _visit.set(visit)
    try:
        yield
    finally:
        _visit.reset(token)


def name_device(handle: bytes) -> None:
    """Let this visit's lines name the device from here on."""
    visit = _visit.get()
    if visit is not None:
        visit.device = handle.hex()


def configure(log_format: str, level: str) -> None:
    """Write everything to standard error, in one of the two formats."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _LOUD:
        # At the level of debugging, aiosqlite logs every statement with its values: all notes.
        logging.getLogger(name).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """A line for people. What a stranger chose cannot begin a second one."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        facts = _facts_of(record)
        told = "".join(f" {name}={_plain(value)}" for name, value in facts.items())
        line = f"{_time_of(record)} {record.levelname} {record.name} {_plain(record.getMessage())}{told}"
        return "\n".join([line, *_where(record.exc_info)])


class JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, and the facts by their names."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, Any] = {
            "time": _time_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts_of(record),
        }
        where = _where(record.exc_info)
        if where:
            line["exception"] = where
        return json.dumps(line)


def _facts_of(record: logging.LogRecord) -> dict[str, Any]:
    visit = _visit.get()
    if visit is None:
        return {}
    named = {"request": visit.id, "device": visit.device} if visit.device else {"request": visit.id}
    return named | (visit.facts if getattr(record, "is_access", False) else {})


def _where(caught: _Caught | None) -> list[str]:
    """Return type and places of an exception and of those before it, innermost call last."""
    lines: list[str] = []
    reason = caught[1] if caught else None
    for _ in range(_CHAIN_MAX):
        if reason is None:
            break
        kind = f"{type(reason).__module__}.{type(reason).__qualname__}"
        lines.append(f"{kind}: {reason}" if isinstance(reason, (OSError, sqlite3.Error)) else kind)
        lines += [
            f"  {frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.StackSummary.extract(traceback.walk_tb(reason.__traceback__), lookup_lines=False)
        ]
        reason = reason.__cause__ or reason.__context__
    return lines


def _time_of(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _plain(value: object) -> str:
    # Escapes for what is not ASCII would make Chinese names unreadable: only what steers is escaped.
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(value)
    )
