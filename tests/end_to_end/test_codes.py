"""An enrolment code on its way from the server to a handheld: text, file, QR code, picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import segno

from gridlog_protocol.invitation import read_invitation
from tests.end_to_end.processes import GRID, DeviceCommands, ServerProcess, run_command

pytestmark = pytest.mark.long

NEW = ("--name", "张三", "--grid", GRID)
Modules = list[list[bool]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


def modules_of(code: str) -> Modules:
    """Return what a QR code of this text has to look like, with its quiet zone."""
    return [[module != 0 for module in row] for row in segno.make_qr(code, error="m").matrix_iter(border=4)]


def read_png(raw: bytes) -> Modules:
    """Read a picture of one bit a pixel, eight pixels a module; True is black."""
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, width, depth = 8, b"", 0, 0
    while at < len(raw):
        length, kind = struct.unpack_from(">I4s", raw, at)
        content = raw[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, _, depth = struct.unpack_from(">IIB", content)
        packed += content if kind == b"IDAT" else b""
        at += length + 12
    assert depth == 1
    stride = 1 + (width + 7) // 8
    plain = zlib.decompress(packed)
    rows = [bytes(stride)]
    for first in range(0, len(plain), stride):
        row = plain[first : first + stride]
        assert row[0] in (0, 2), "as it is, or as the difference from the row above"
        rows.append(row if row[0] == 0 else bytes((one + two) & 0xFF for one, two in zip(row, rows[-1], strict=True)))
    return [[not row[1 + x // 8] >> (7 - x % 8) & 1 for x in range(0, width, 8)] for row in rows[1::8]]


def read_blocks(lines: Sequence[str]) -> Modules:
    """Read half blocks, two rows of modules a line: what is drawn is light."""
    light = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
    return [[not light[letter][half] for letter in line] for line in lines for half in (0, 1)]


def test_a_code_is_shown_as_a_qr_code_and_its_last_line_is_the_code(server: ServerProcess) -> None:
    lines = server.command("admin", "enroll", "W1", *NEW, "--qr").out.splitlines()
    wanted = modules_of(lines[-1])
    assert read_invitation(lines[-1]).address == server.address
    assert "For 张三" in lines[0]
    assert read_blocks(lines[1:-1])[: len(wanted)] == wanted


def test_pictures_have_the_code_and_are_for_their_owner_only(server: ServerProcess, tmp_path: Path) -> None:
    png, svg = tmp_path / "code.png", tmp_path / "code.svg"
    answer = server.command_json("admin", "enroll", "W2", *NEW, "--png", str(png), "--svg", str(svg))
    assert read_png(png.read_bytes()) == modules_of(answer["code"])
    assert svg.read_text(encoding="utf-8").startswith("<?xml")
    assert {path.stat().st_mode & 0o777 for path in (png, svg)} == {0o600}
    assert (answer["staff_no"], answer["grids"]) == ("W2", [GRID])


def test_no_picture_takes_another_files_place_and_no_code_is_made_then(server: ServerProcess, tmp_path: Path) -> None:
    taken, other = tmp_path / "taken.svg", tmp_path / "other.png"
    taken.write_text("mine", encoding="utf-8")
    people = server.command_json("status")["people"]
    done = server.command("admin", "enroll", "W9", *NEW, "--png", str(other), "--svg", str(taken))
    assert (done.code, "was not overwritten" in done.err) == (1, True)
    assert (taken.read_text(encoding="utf-8"), other.exists()) == ("mine", False)
    assert server.command("admin", "enroll", "W9", "--png", str(other)).code == 1
    assert not other.exists()
    assert server.command("admin", "enroll", "W9", *NEW, "--png", str(tmp_path / "none" / "a.png")).code == 1
    assert server.command_json("status")["people"] == people


@pytest.mark.parametrize(
    ("arguments", "zh", "en"),
    [
        (("W7",), "姓名不能为空", "The name has at least one letter"),
        (("W7", "--name", "张三"), "还没有网格", "has no grids yet"),
        (("", *NEW), "工号不能为空", "The staff number has at least one letter"),
        (("W7", "--name", "张三", "--grid", "tenant"), "不是网格", "is not a grid"),
        (("W7", *NEW, "--qr", "--json"), "不能一起用", "do not go together"),
    ],
)
def test_a_wrong_enrolment_is_refused_in_both_languages(
    server: ServerProcess, arguments: Sequence[str], zh: str, en: str
) -> None:
    environment = {"GRIDLOG_SERVER_DATA": str(server.data_dir)}
    for language, sentence in (("zh", zh), ("en", en)):
        done = run_command(
            "gridlog-server", "admin", "enroll", *arguments, environment=environment | {"GRIDLOG_LANG": language}
        )
        assert (done.code, done.out) == (1, "")
        assert sentence in done.err


def test_a_handheld_takes_its_code_from_what_the_server_printed(server: ServerProcess, tmp_path: Path) -> None:
    slip = tmp_path / "slip.txt"
    slip.write_text(server.command("admin", "enroll", "W3", *NEW, "--qr").out, encoding="utf-8")
    first, second = DeviceCommands(tmp_path / "first"), DeviceCommands(tmp_path / "second")
    assert first.run("enrol", "--file", str(slip)).code == 0
    used = second.run("enrol", "--file", str(slip))
    assert (used.code, "wrong, used or expired" in used.err) == (1, True)


def test_a_handheld_takes_its_code_from_standard_input(server: ServerProcess, tmp_path: Path) -> None:
    environment = {
        "GRIDLOG_STORE": str(tmp_path / "store"),
        "GRIDLOG_PASSPHRASE": "correct horse battery",
        "GRIDLOG_WEAK_KDF_FOR_TESTS": "1",
    }
    code = server.admin_enroll("W4", "李四")
    assert run_command("gridlog", "enrol", "--file", "-", environment=environment, typed=f"{code}\n").code == 0


def test_a_code_is_given_in_one_way_and_a_file_has_one(tmp_path: Path) -> None:
    device, empty = DeviceCommands(tmp_path / "store"), tmp_path / "empty"
    empty.write_text("\n", encoding="utf-8")
    for arguments, sentence in (
        ((), "Give the code, or a file"),
        (("GL1-AAAAA", "--file", str(empty)), "Give the code, or a file"),
        (("--file", str(empty)), "not a valid enrolment code"),
        (("--file", str(tmp_path / "none")), "Cannot read"),
    ):
        done = device.run("enrol", *arguments)
        assert (done.code, sentence in done.err) == (1, True), done
    assert not device.store.exists()
