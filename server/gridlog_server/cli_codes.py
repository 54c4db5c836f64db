"""Show an enrolment code: as text, as a QR code at the terminal, as a picture.

The rule it keeps: whoever sees a code can use it. A picture is the owner's alone, and takes no other file's place.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .cli_base import fail, out, say

if TYPE_CHECKING:
    import segno

_PIXELS_A_MODULE = 8
_BLACK_ON_WHITE, _AS_BEFORE = "\x1b[97;40m", "\x1b[0m"
"""The blocks are what is light in the code: drawn white on black, whatever colours the terminal has."""


@contextmanager
def pictures(wanted: Mapping[str, Path | None]) -> Iterator[dict[str, BinaryIO]]:
    """Open new files, by kind (png, svg), for pictures that nobody else may read; if the work fails, none stays.

    Ends the command if a file is there already, or cannot be made: before there is a code to lose.
    """
    opened: dict[str, BinaryIO] = {}
    paths = {kind: path for kind, path in wanted.items() if path is not None}
    try:
        for kind, path in paths.items():
            opened[kind] = _new_file(path)
        yield opened
    except BaseException:
        for kind in opened:
            paths[kind].unlink(missing_ok=True)
        raise
    finally:
        for each in opened.values():
            each.close()


def _new_file(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        fail(f"{path} 已经存在，没有覆盖。", f"{path} is there already, and was not overwritten.")
    except OSError as reason:
        fail(f"写不了 {path}：{reason.strerror}", f"Cannot write {path}: {reason.strerror}")


def draw(code: str, files: Mapping[str, BinaryIO]) -> None:
    """Draw the code into opened files, by kind."""
    for kind, file in files.items():
        _qr(code).save(file, kind=kind, scale=_PIXELS_A_MODULE)


def terminal_lines(code: str, *, is_coloured: bool) -> Sequence[str]:
    """Return the code as lines of half blocks. Coloured, it is right at a light terminal too."""
    drawn = io.StringIO()
    _qr(code).terminal(drawn, compact=True)
    lines = drawn.getvalue().splitlines()
    return [f"{_BLACK_ON_WHITE}{line}{_AS_BEFORE}" for line in lines] if is_coloured else lines


def say_code(answer: Mapping[str, Any], *, with_qr: bool) -> None:
    """Say for whom a code is and until when; then the code, alone on the last line, unwrapped, to be copied."""
    until = datetime.fromtimestamp(answer["expires_ms"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    grids, name = "、".join(answer["grids"]), answer["name"]
    out.print(
        say(
            f"{name}（{grids}）的登记码，只能用一次，{until} 前有效：",
            f"For {name} ({grids}), good once, until {until}:",
        ),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if with_qr:
        print(*terminal_lines(answer["code"], is_coloured=out.is_terminal), sep="\n")  # noqa: T201 - blocks as they are
    print(answer["code"])  # noqa: T201 - alone on its line


def _qr(code: str) -> segno.QRCode:
    import segno  # noqa: PLC0415 - Most commands draw nothing.

    # Letters, digits and hyphens: QR's alphanumeric mode. Level M survives a crease in the paper.
    return segno.make_qr(code, error="m")
