"""Saved means saved: the journal written, killed, filled up, and searched for plain words."""

from __future__ import annotations

import base64
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gridlog.errors import DiskFailedError, DiskFullError, StoreExistsError, StoreInUseError, StoreMissingError
from gridlog.journal import JOURNAL_FILE, PAYLOAD_BYTES_MAX, Frame, FrameType, Journal
from gridlog.vault import KEYS_FILE, KdfProfile, Vault
from tests.unit.client.stores import PASSPHRASE, opened, payload, replayed

WEAK = KdfProfile.WEAK_FOR_TESTS
BATCH = 3

OPENED = """
import resource, sys
from pathlib import Path
from gridlog.errors import DiskFailedError
from gridlog.journal import FrameType, Journal
from gridlog.vault import Vault
directory = Path(sys.argv[1])
vault = Vault.unlock(directory, "grid-worker-7")
journal = Journal.open(directory, vault)
"""

APPENDING = (
    OPENED
    + """
while True:
    start = journal.last_seq + 1
    batch = [(FrameType.OP, b"op %d " % seq * 40) for seq in range(start, start + 3)]
    print(journal.append(batch)[-1], flush=True)
"""
)

LIMITED = (
    OPENED
    + """
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    while True:
        saved = journal.append([(FrameType.OP, b"op %d " % (journal.last_seq + 1) * 40)])[-1]
except DiskFailedError:
    assert journal.last_seq == saved
    print(saved, flush=True)
"""
)

WRITING = (
    OPENED
    + """
lines = sys.stdin.buffer.read().splitlines()
journal.append([(kind, line) for kind in (FrameType.OP, FrameType.DRAFT) for line in lines])
print("saved", flush=True)
import time
time.sleep(60)
"""
)


def test_what_was_appended_is_replayed_in_order(empty: Path) -> None:
    with opened(empty) as journal:
        assert journal.append([(FrameType.ENROLMENT, b"who"), (FrameType.OP, b"")]) == [1, 2]
        assert journal.append([]) == []
        assert journal.append([(FrameType.ANSWER, b"a" * 100_000)]) == [3]
        assert journal.last_seq == 3
    with opened(empty) as journal:
        assert journal.append([(FrameType.FACT, b"fact")]) == [4]
    assert replayed(empty) == [
        Frame(1, FrameType.ENROLMENT, b"who"),
        Frame(2, FrameType.OP, b""),
        Frame(3, FrameType.ANSWER, b"a" * 100_000),
        Frame(4, FrameType.FACT, b"fact"),
    ]


def test_entries_may_be_appended_in_the_middle_of_a_replay(directory: Path) -> None:
    with opened(directory) as journal:
        seen = []
        for frame in journal.replay():
            journal.append([(FrameType.FACT, b"seen")])
            seen.append(frame.payload)
        assert seen == [payload(seq) for seq in range(1, 10)]
        assert journal.last_seq == 18
    assert len(replayed(directory)) == 18


def test_the_largest_entry_fits_and_a_larger_one_is_our_bug(empty: Path) -> None:
    largest = os.urandom(PAYLOAD_BYTES_MAX)
    with opened(empty) as journal:
        journal.append([(FrameType.ANSWER, largest)])
        with pytest.raises(ValueError, match="at most"):
            journal.append([(FrameType.ANSWER, largest + b"!")])
    assert [frame.payload for frame in replayed(empty)] == [largest]


def test_a_journal_is_never_overwritten(directory: Path) -> None:
    with Vault.unlock(directory, PASSPHRASE) as vault, pytest.raises(StoreExistsError):
        Journal.create(directory, vault)
    assert len(replayed(directory)) == 9


def test_a_journal_whose_making_was_cut_short_is_missing_and_can_be_made(tmp_path: Path) -> None:
    with Vault.create(tmp_path, PASSPHRASE, profile=WEAK) as vault:
        with pytest.raises(StoreMissingError):
            Journal.open(tmp_path, vault)
        (tmp_path / JOURNAL_FILE).touch()
        with pytest.raises(StoreMissingError):
            Journal.open(tmp_path, vault)
        Journal.create(tmp_path, vault).close()
    assert replayed(tmp_path) == []


def test_every_file_of_an_open_journal_belongs_to_the_user_alone(directory: Path) -> None:
    with opened(directory) as journal:
        journal.append([(FrameType.OP, b"note")])
        modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == dict.fromkeys([KEYS_FILE, "lock", JOURNAL_FILE, f"{JOURNAL_FILE}-wal"], 0o600)


def test_another_connection_to_the_open_journal_is_refused(directory: Path) -> None:
    with (
        opened(directory),
        closing(sqlite3.connect(directory / JOURNAL_FILE, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("SELECT count(*) FROM log")


def test_a_journal_that_another_program_reads_is_in_use(directory: Path) -> None:
    with closing(sqlite3.connect(directory / JOURNAL_FILE, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM log").fetchone()
        with pytest.raises(StoreInUseError):
            replayed(directory)


@pytest.mark.parametrize("delay_ms", [1, 20, 60, 130])
def test_everything_acknowledged_is_there_after_a_kill(empty: Path, delay_ms: int) -> None:
    # A killed process leaves its writes to the kernel: this shows atomicity, not what a power cut would leave.
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", APPENDING, str(empty)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            acknowledged = [writer.stdout.readline()]
            time.sleep(delay_ms / 1000)
            writer.send_signal(signal.SIGKILL)
            acknowledged += writer.stdout.readlines()
        # The last line itself may have been cut by the kill.
        last = max(int(line) for line in acknowledged if line.endswith(b"\n"))
        found = replayed(empty)
        assert len(found) >= last
        assert len(found) % BATCH == 0
        assert found == [Frame(seq, FrameType.OP, b"op %d " % seq * 40) for seq in range(1, len(found) + 1)]


def test_a_full_disk_saves_nothing_and_says_so(directory: Path) -> None:
    with opened(directory) as journal:
        (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DiskFullError):
            journal.append([(FrameType.OP, b"small"), (FrameType.OP, os.urandom(50_000))])
        assert journal.last_seq == 9
        with pytest.raises(DiskFullError):
            journal.append([(FrameType.OP, b"small")])
        with pytest.raises(DiskFullError):
            next(journal.replay())
        with pytest.raises(DiskFullError):
            journal.redraw_incarnation()
        with Journal.open(directory, journal._vault) as again:
            assert again.last_seq == 9

    with opened(directory) as journal:
        assert journal.append([(FrameType.OP, b"there is room again")]) == [10]
    assert [frame.payload for frame in replayed(directory)][-2:] == [payload(9), b"there is room again"]


def test_a_disk_that_fails_in_the_middle_of_a_write_loses_nothing_acknowledged(empty: Path) -> None:
    limited = subprocess.run([sys.executable, "-c", LIMITED, str(empty)], capture_output=True, check=True)
    saved = int(limited.stdout)
    found = replayed(empty)
    assert saved > 10
    assert found == [Frame(seq, FrameType.OP, b"op %d " % seq * 40) for seq in range(1, saved + 1)]


def test_a_commit_interrupted_by_our_own_bug_closes_the_journal(directory: Path) -> None:
    with opened(directory) as journal:
        journal._connection.close()
        with pytest.raises(sqlite3.ProgrammingError):
            journal.append([(FrameType.OP, b"lost")])
        with pytest.raises(DiskFailedError):
            journal.append([(FrameType.OP, b"lost")])
    assert len(replayed(directory)) == 9


@pytest.mark.parametrize(
    "encoded",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("gb18030"),
        lambda text: base64.b64encode(text.encode()),
        lambda text: text.encode().hex().encode(),
    ],
    ids=["utf-8", "utf-16-le", "utf-16-be", "gb18030", "base64", "hex"],
)
def test_no_sentence_stands_in_any_file_after_a_kill(empty: Path, encoded: Callable[[str], bytes]) -> None:
    sentence = "王秀兰家反映三楼漏水电话13907110042"
    planted = [line for line in [encoded(sentence), sentence.encode()] if b"\n" not in line]
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, str(empty)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(b"\n".join(planted))
        writer.stdin.close()
        assert writer.stdout.readline() == b"saved\n"
        writer.send_signal(signal.SIGKILL)
    files = [path.read_bytes() for path in empty.iterdir()]
    assert sum(map(len, files)) > 500
    # Short runs too: a compressor keeps the pieces that it could not shorten.
    pieces = [line[at : at + 12] for line in planted for at in range(len(line) - 12)]
    assert not [piece for piece in pieces for content in files if piece in content]
    assert [frame.payload for frame in replayed(empty)] == [*planted, *planted]
