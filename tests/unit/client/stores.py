"""A small store with nine entries, one that is enrolled, and hands to change their files behind their back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gridlog.entries import Enrolled, pack_enrolled
from gridlog.journal import JOURNAL_FILE, Frame, FrameType, Journal
from gridlog.vault import KdfProfile, Vault
from gridlog_protocol.ids import DeviceHandle, Epoch, ScopeId, TenantId, UserId

PASSPHRASE = "grid-worker-7"
GRID = "420106001001001"
USER = UserId(b"\x07" * 16)


def make_store(directory: Path, *, entries: int = 0) -> None:
    with (
        Vault.create(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS) as vault,
        Journal.create(directory, vault) as journal,
    ):
        journal.append([(FrameType.OP, payload(seq)) for seq in range(1, entries + 1)])


def make_enrolled_store(directory: Path) -> None:
    """Make a store that was enrolled with a server which nobody can reach."""
    enrolled = Enrolled(
        "http://127.0.0.1:9",
        bytes(32),
        bytes(32),
        DeviceHandle(bytes(8)),
        TenantId("420106"),
        "武昌区",
        USER,
        "张三",
        Epoch(bytes(8)),
        (ScopeId("tenant"), ScopeId(GRID)),
        1,
        0,
        b"",
    )
    make_store(directory)
    with opened(directory) as journal:
        journal.append([(FrameType.ENROLMENT, pack_enrolled(enrolled))])


def payload(seq: int) -> bytes:
    return f"第{seq}条：巡查正常。".encode()


@contextmanager
def opened(directory: Path) -> Iterator[Journal]:
    with Vault.unlock(directory, PASSPHRASE) as vault, Journal.open(directory, vault) as journal:
        yield journal


def replayed(directory: Path) -> list[Frame]:
    with opened(directory) as journal:
        return list(journal.replay())


def change_log(directory: Path, statement: str, *values: int) -> None:
    with closing(sqlite3.connect(directory / JOURNAL_FILE, isolation_level=None)) as connection:
        connection.execute(statement, values)


def renumber_after(directory: Path, seq: int, *, by: int) -> None:
    change_log(directory, "UPDATE log SET seq = -seq WHERE seq > ?", seq)
    change_log(directory, "UPDATE log SET seq = -seq + ? WHERE seq < 0", by)


def stored_frame(directory: Path, seq: int) -> bytes:
    with closing(sqlite3.connect(directory / JOURNAL_FILE)) as connection:
        (frame,) = connection.execute("SELECT frame FROM log WHERE seq = ?", (seq,)).fetchone()
    assert isinstance(frame, bytes)
    return frame


def store_frame(directory: Path, seq: int, frame: bytes) -> None:
    with closing(sqlite3.connect(directory / JOURNAL_FILE, isolation_level=None)) as connection:
        connection.execute("REPLACE INTO log (seq, frame) VALUES (?, ?)", (seq, frame))
