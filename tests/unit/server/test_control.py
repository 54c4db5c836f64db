"""The control journal: what is in it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridlog_server.control import ControlJournal, ControlJournalError, acts_of

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def written(path: Path) -> list[str]:
    journal = ControlJournal(path, KEY)
    journal.record([{"act": "person", "name": "张三"}, {"act": "device"}])
    ControlJournal(path, KEY).record([{"act": "code"}])
    return [str(each["act"]) for each in acts_of(path, KEY.public_key())]


def test_acts_come_back_in_their_order(tmp_path: Path) -> None:
    assert written(tmp_path / "journal") == ["person", "device", "code"]
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


def test_half_a_line_that_a_power_cut_left_is_passed_over_and_goes_with_the_next_act(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path)
    with path.open("ab") as file:
        file.write(b"half a li")
    assert len([*acts_of(path, KEY.public_key())]) == 3

    ControlJournal(path, KEY).record([{"act": "device"}])

    assert len([*acts_of(path, KEY.public_key())]) == 4


@pytest.mark.parametrize("damage", ["flipped", "dropped", "swapped", "foreign"])
def test_a_journal_that_somebody_edited_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "journal"
    written(path)
    lines = path.read_bytes().splitlines(keepends=True)
    match damage:
        case "flipped":
            lines[0] = lines[0].replace("张三".encode(), "李四".encode())
        case "dropped":
            del lines[1]
        case "swapped":
            lines.reverse()
        case "foreign":
            ControlJournal(path, Ed25519PrivateKey.generate()).record([{"act": "device"}])
            lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines))

    with pytest.raises(ControlJournalError, match="line"):
        [*acts_of(path, KEY.public_key())]
