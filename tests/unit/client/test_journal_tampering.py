"""Whatever was changed in the journal behind our back is refused, with the number of the first wrong entry."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gridlog.errors import GridlogError, StoreDamagedError, StorePart, StoreTooNewError
from gridlog.journal import JOURNAL_FILE, Frame, FrameType
from gridlog.vault import KEYS_FILE
from tests.unit.client.stores import (
    change_log,
    make_store,
    opened,
    payload,
    renumber_after,
    replayed,
    store_frame,
    stored_frame,
)


def refused_at(directory: Path) -> int | None:
    with pytest.raises(StoreDamagedError) as refused, opened(directory):
        pass
    assert refused.value.where is StorePart.JOURNAL
    return refused.value.position


@pytest.mark.parametrize("seq", range(1, 10))
def test_a_changed_frame_is_refused_with_its_number(directory: Path, seq: int) -> None:
    frame = stored_frame(directory, seq)
    for at in {0, 1, 2, 5, 6, 13, 14, 25, 26, len(frame) // 2, len(frame) - 1}:
        store_frame(directory, seq, frame[:at] + bytes([frame[at] ^ 1 << at % 8]) + frame[at + 1 :])
        assert refused_at(directory) == seq
    store_frame(directory, seq, frame)
    assert len(replayed(directory)) == 9


def test_a_flipped_bit_in_any_byte_of_a_frame_is_refused(directory: Path) -> None:
    frame = stored_frame(directory, 5)
    for at in range(len(frame)):
        store_frame(directory, 5, frame[:at] + bytes([frame[at] ^ 1 << at % 8]) + frame[at + 1 :])
        assert refused_at(directory) == 5


@pytest.mark.parametrize("length", [0, 1, 13, 26, 41, -1])
def test_a_frame_cut_short_is_refused(directory: Path, length: int) -> None:
    for seq in (1, 5, 9):
        frame = stored_frame(directory, seq)
        store_frame(directory, seq, frame[:length])
        assert refused_at(directory) == seq
        store_frame(directory, seq, frame)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, 9), (4, 5), (8, 9)])
def test_swapped_frames_are_refused(directory: Path, one: int, other: int) -> None:
    first, second = stored_frame(directory, one), stored_frame(directory, other)
    store_frame(directory, one, second)
    store_frame(directory, other, first)
    assert refused_at(directory) == one


@pytest.mark.parametrize("seq", range(1, 9))
def test_a_dropped_frame_is_refused(directory: Path, seq: int) -> None:
    change_log(directory, "DELETE FROM log WHERE seq = ?", seq)
    assert refused_at(directory) == seq
    renumber_after(directory, seq, by=-1)
    assert refused_at(directory) == seq


@pytest.mark.parametrize("seq", range(1, 10))
def test_a_repeated_frame_is_refused(directory: Path, seq: int) -> None:
    frame = stored_frame(directory, seq)
    renumber_after(directory, seq, by=1)
    store_frame(directory, seq + 1, frame)
    assert refused_at(directory) == seq + 1


def test_an_entry_before_the_first_is_refused(directory: Path) -> None:
    store_frame(directory, 0, stored_frame(directory, 1))
    assert refused_at(directory) == 1


def test_a_frame_of_another_store_is_refused(directory: Path, tmp_path: Path) -> None:
    make_store(tmp_path / "other", entries=9)
    store_frame(directory, 9, stored_frame(tmp_path / "other", 9))
    assert refused_at(directory) == 9
    shutil.copy(tmp_path / "other" / JOURNAL_FILE, directory / JOURNAL_FILE)
    assert refused_at(directory) == 1


def test_frames_of_two_histories_of_one_store_do_not_mix(directory: Path, tmp_path: Path) -> None:
    shutil.copy(directory / JOURNAL_FILE, tmp_path / "old copy")
    with opened(directory) as journal:
        journal.append([(FrameType.OP, b"one history")])
    of_one_history = stored_frame(directory, 10)

    shutil.copy(tmp_path / "old copy", directory / JOURNAL_FILE)
    with opened(directory) as journal:
        journal.append([(FrameType.OP, b"another"), (FrameType.OP, b"history")])
    store_frame(directory, 10, of_one_history)
    assert refused_at(directory) == 11


def test_a_replay_verifies_again_what_was_verified_at_opening(directory: Path) -> None:
    with opened(directory) as journal:
        journal._connection.execute("UPDATE log SET frame = zeroblob(200) WHERE seq = 4")
        frames = journal.replay()
        assert [next(frames).seq for _ in range(3)] == [1, 2, 3]
        with pytest.raises(StoreDamagedError) as refused:
            next(frames)
        assert refused.value.position == 4

        journal._connection.execute("DELETE FROM log WHERE seq > 2")
        with pytest.raises(StoreDamagedError) as refused:
            list(journal.replay())
        assert refused.value.position == 3


@pytest.mark.parametrize("kept", range(10))
def test_last_frames_cut_off_are_refused(directory: Path, kept: int) -> None:
    end = stored_frame(directory, 10)
    change_log(directory, "DELETE FROM log WHERE seq > ?", kept)
    assert refused_at(directory) == kept + 1
    # Nor does the end belong behind any other entry.
    if kept < 9:
        store_frame(directory, kept + 1, end)
        assert refused_at(directory) == kept + 1


def test_an_end_of_an_earlier_moment_is_refused(directory: Path) -> None:
    earlier = stored_frame(directory, 10)
    with opened(directory) as journal:
        journal.append([(FrameType.OP, payload(10))])
    store_frame(directory, 11, earlier)
    assert refused_at(directory) == 11
    store_frame(directory, 10, earlier)
    change_log(directory, "DELETE FROM log WHERE seq = 11")
    # An old copy of all that the journal had: no chain can tell.
    assert len(replayed(directory)) == 9


def test_a_changed_end_is_refused(directory: Path) -> None:
    end = stored_frame(directory, 10)
    for at in range(len(end)):
        store_frame(directory, 10, end[:at] + bytes([end[at] ^ 1 << at % 8]) + end[at + 1 :])
        assert refused_at(directory) == 10


def test_a_journal_with_an_end_is_not_taken_for_one_of_the_format_before(directory: Path) -> None:
    change_log(directory, "DELETE FROM log WHERE seq > 7")
    change_log(directory, "PRAGMA user_version = 1")
    assert refused_at(directory) is None


def test_entries_of_every_incarnation_stay_readable(directory: Path) -> None:
    with opened(directory) as journal:
        journal.redraw_incarnation()
        second = journal.redraw_incarnation()
        journal.append([(FrameType.OP, payload(10))])
        third = journal.redraw_incarnation()
        journal.append([(FrameType.OP, payload(11))])
        assert second != third
    assert [frame.payload for frame in replayed(directory)] == [payload(seq) for seq in range(1, 12)]


def test_a_journal_shorter_than_at_the_last_new_incarnation_is_refused(directory: Path) -> None:
    with opened(directory) as journal:
        journal.redraw_incarnation()
    assert len(replayed(directory)) == 9
    change_log(directory, "DELETE FROM log WHERE seq > 7")
    assert refused_at(directory) == 8


def test_an_old_key_file_put_back_is_refused_where_the_new_incarnation_begins(directory: Path) -> None:
    old = (directory / KEYS_FILE).read_bytes()
    with opened(directory) as journal:
        journal.redraw_incarnation()
        journal.append([(FrameType.OP, payload(10)), (FrameType.OP, payload(11))])
    (directory / KEYS_FILE).write_bytes(old)
    assert refused_at(directory) == 10


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER quiet BEFORE INSERT ON log BEGIN SELECT raise(IGNORE); END",
        "CREATE TABLE more (a)",
        "ALTER TABLE log RENAME COLUMN frame TO frames",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = -1",
    ],
)
def test_a_file_whose_plan_was_changed_is_refused(directory: Path, statement: str) -> None:
    change_log(directory, statement)
    assert refused_at(directory) is None


def test_a_journal_of_a_newer_version_is_not_guessed_at(directory: Path) -> None:
    change_log(directory, "PRAGMA user_version = 3")
    with pytest.raises(StoreTooNewError):
        replayed(directory)


def test_a_file_that_is_no_database_is_damaged(directory: Path) -> None:
    (directory / JOURNAL_FILE).write_bytes(os.urandom(8192))
    assert refused_at(directory) is None


def test_no_flipped_bit_anywhere_in_the_file_changes_an_entry(directory: Path) -> None:
    path = directory / JOURNAL_FILE
    raw = path.read_bytes()
    written = [Frame(seq, FrameType.OP, payload(seq)) for seq in range(1, 10)]
    for at in [*range(100), *range(100, len(raw), 37)]:
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :])
        try:
            found = replayed(directory)
        except GridlogError:
            continue
        finally:
            path.with_name(f"{JOURNAL_FILE}-wal").unlink(missing_ok=True)
        assert found == written
