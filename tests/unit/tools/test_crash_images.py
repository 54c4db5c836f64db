"""What a power cut can leave of a few operations: exactly these images, and no others."""

from __future__ import annotations

import pytest

from tools.crash.choices import Choice, ChoiceError, Image, chosen, everything, image
from tools.crash.power import Cut, cuts
from tools.crash.recording import (
    Closed,
    DirectoryMade,
    Event,
    Opened,
    Recording,
    RecordingError,
    Renamed,
    Resized,
    Synced,
    Unlinked,
    Written,
)
from tools.dice import dice

SECTOR = 512
OLD = b"o" * SECTOR
NEW = b"n" * SECTOR
LIMIT = 10_000


def last_cut(before: dict[str, bytes | None], *events: Event) -> Cut:
    return [*cuts(Recording(before, events))][-1]


def images(cut: Cut) -> set[frozenset[tuple[str, bytes | None]]]:
    return {frozenset(image(cut, choice).items()) for choice in chosen(cut, LIMIT, dice(1))}


def contents(cut: Cut, path: str) -> set[bytes | None]:
    return {dict(each).get(path) for each in images(cut)}


def opened(path: str, descriptor: int = 3, *, is_made: bool = False, is_emptied: bool = False) -> Opened:
    return Opened(descriptor, path, is_made, is_emptied)


def test_what_was_written_is_there_or_not() -> None:
    cut = last_cut({"a": OLD}, opened("a"), Written(3, 0, NEW))
    assert contents(cut, "a") == {OLD, NEW}


def test_what_was_synced_is_there() -> None:
    cut = last_cut({"a": OLD}, opened("a"), Written(3, 0, NEW), Synced(3))
    assert images(cut) == {frozenset({("a", NEW)})}


def test_syncing_another_file_helps_nobody() -> None:
    cut = last_cut({"a": OLD, "b": b""}, opened("a"), opened("b", 4), Written(3, 0, NEW), Synced(4))
    assert contents(cut, "a") == {OLD, NEW}


def test_a_descriptor_means_the_file_that_it_was_opened_for() -> None:
    events = (opened("a"), Closed(3), opened("b"), Written(3, 0, NEW))
    cut = last_cut({"a": OLD, "b": OLD}, *events)
    assert (contents(cut, "a"), contents(cut, "b")) == ({OLD}, {OLD, NEW})


def test_a_write_is_torn_between_any_of_its_sectors_and_never_within_one() -> None:
    cut = last_cut({"a": OLD * 2}, opened("a"), Written(3, 0, NEW * 2))
    assert contents(cut, "a") == {OLD * 2, NEW + OLD, OLD + NEW, NEW * 2}


def test_writes_that_touch_a_sector_in_part_are_torn_where_sectors_end() -> None:
    cut = last_cut({"a": OLD * 2}, opened("a"), Written(3, SECTOR - 1, b"nn"))
    whole = OLD[1:] + b"nn" + OLD[1:]
    assert contents(cut, "a") == {OLD * 2, OLD[1:] + b"n" + OLD, OLD + b"n" + OLD[1:], whole}


def test_of_several_writes_any_may_be_missing() -> None:
    writes = [Written(3, index * SECTOR, NEW) for index in range(3)]
    cut = last_cut({"a": OLD * 3}, opened("a"), *writes)
    assert len(contents(cut, "a")) == 2**3


def test_a_later_write_to_a_sector_is_never_there_without_the_earlier() -> None:
    cut = last_cut({"a": b"...."}, opened("a"), Written(3, 0, b"1"), Written(3, 1, b"2"))
    assert contents(cut, "a") == {b"....", b"1...", b"12.."}


def test_a_file_may_have_grown_before_its_bytes_are_there() -> None:
    cut = last_cut({"a": b""}, opened("a"), Written(3, 0, NEW * 2))
    nothing = bytes(SECTOR)
    # The first sector alone, at its own size and at the whole one.
    assert contents(cut, "a") == {b"", nothing * 2, NEW, NEW + nothing, nothing + NEW, NEW * 2}


def test_cutting_a_file_off_and_writing_it_anew_may_leave_it_empty() -> None:
    cut = last_cut({"a": OLD}, opened("a", is_emptied=True), Written(3, 0, b"new"))
    assert contents(cut, "a") == {OLD, b"", bytes(3), b"new", b"new" + OLD[3:]}


def test_a_file_that_was_made_longer_is_filled_with_zeros() -> None:
    cut = last_cut({"a": b"a"}, opened("a"), Resized(3, 4), Synced(3))
    assert contents(cut, "a") == {b"a\0\0\0"}


def test_a_new_file_is_gone_unless_its_directory_was_synced() -> None:
    events = (opened("a", is_made=True), Written(3, 0, NEW), Synced(3))
    assert contents(last_cut({}, *events), "a") == {None, NEW}
    assert contents(last_cut({}, *events, opened("", 4), Synced(4)), "a") == {NEW}


def test_syncing_a_directory_says_nothing_about_another() -> None:
    events = (DirectoryMade("d"), opened("d/a", is_made=True), opened("", 4), Synced(4))
    assert images(last_cut({}, *events)) == {frozenset({("d", None)}), frozenset({("d", None), ("d/a", b"")})}


def test_a_file_in_a_directory_that_is_gone_is_gone() -> None:
    events = (DirectoryMade("d"), opened("d/a", is_made=True), opened("d", 4), Synced(4))
    assert images(last_cut({}, *events)) == {frozenset(), frozenset({("d", None), ("d/a", b"")})}


def test_a_rename_has_happened_or_not() -> None:
    cut = last_cut({"a": OLD, "b": NEW}, Renamed("b", "a"))
    assert images(cut) == {frozenset({("a", OLD), ("b", NEW)}), frozenset({("a", NEW)})}


def test_a_removed_file_may_be_back() -> None:
    cut = last_cut({"a": OLD}, Unlinked("a"))
    assert images(cut) == {frozenset({("a", OLD)}), frozenset()}


def test_names_become_durable_in_order() -> None:
    cut = last_cut({"a": OLD}, opened("b", is_made=True), Unlinked("a"))
    assert images(cut) == {
        frozenset({("a", OLD)}),
        frozenset({("a", OLD), ("b", b"")}),
        frozenset({("b", b"")}),
    }


def test_what_is_written_to_a_file_that_has_lost_its_name_matters_while_the_name_may_come_back() -> None:
    events = (opened("a"), Renamed("b", "a"), Written(3, 0, NEW))
    before: dict[str, bytes | None] = {"a": OLD, "b": b"other"}
    assert contents(last_cut(before, *events), "a") == {OLD, NEW, b"other"}
    assert contents(last_cut(before, *events, opened("", 4), Synced(4)), "a") == {b"other"}


def test_there_is_a_cut_before_the_first_operation_and_behind_each() -> None:
    events = (opened("a"), Written(3, 0, NEW), Written(3, 0, OLD), Closed(3))
    assert [cut.number for cut in cuts(Recording({"a": OLD}, events))] == [0, 1, 2]


def test_everything_is_what_the_running_process_sees() -> None:
    cut = last_cut({"a": OLD}, opened("b", is_made=True), Written(3, 0, NEW), Unlinked("a"))
    assert image(cut, everything(cut)) == {"b": NEW}


def test_states_are_different_and_no_more_than_asked_for() -> None:
    cut = last_cut({"a": b""}, opened("a"), *(Written(3, index * SECTOR, NEW) for index in range(20)))
    found = chosen(cut, 500, dice(1))
    assert len({*found}) == len(found) == 500
    assert chosen(cut, 500, dice(1)) == found


@pytest.mark.parametrize("choice", [Choice(0, 0), Choice(2, 0x1F), Choice(1, 3, is_grown=True)])
def test_a_choice_is_read_as_it_is_printed(choice: Choice) -> None:
    assert Choice.read(str(choice)) == choice


@pytest.mark.parametrize("text", ["", "x", "1", "1.z", "9.0", "0.ff"])
def test_a_choice_that_a_cut_does_not_have_is_refused(text: str) -> None:
    cut = last_cut({"a": OLD}, opened("a"), Written(3, 0, NEW))
    with pytest.raises(ChoiceError):
        image(cut, Choice.read(text))


@pytest.mark.parametrize("event", [Written(3, 0, NEW), Synced(3), opened("a")])
def test_a_log_with_a_hole_in_it_is_refused(event: Event) -> None:
    with pytest.raises(RecordingError):
        last_cut({}, event)


def test_images_are_the_same_for_whoever_looks_at_them_twice() -> None:
    cut = last_cut({"a": OLD, "d": None}, opened("a"), Written(3, 0, NEW))
    seen: list[Image] = [image(cut, choice) for choice in chosen(cut, LIMIT, dice(1))]
    assert all(each["d"] is None for each in seen)
