"""The enrolment code is read from a picture's pixels, at any turn, and nothing else is."""

from __future__ import annotations

import os

import pytest
import segno

from gridlog.agent.codes import PIXELS_MAX, read_code
from gridlog_protocol.invitation import Invitation


def picture(text: str, *, is_turned: bool = False) -> tuple[bytes, int, int]:
    rows = [[0 if dark else 255 for dark in row] for row in segno.make(text).matrix_iter(scale=3, border=4)]
    if is_turned:
        rows = [list(row) for row in zip(*rows[::-1], strict=True)]
    return bytes(pixel for row in rows for pixel in row), len(rows[0]), len(rows)


@pytest.mark.parametrize("is_turned", [False, True])
def test_a_code_is_read_from_its_picture(is_turned: bool) -> None:  # noqa: FBT001 - a parameter of the test.
    code = Invitation("https://gridlog.example.org", os.urandom(16), os.urandom(16)).code()

    assert read_code(*picture(code, is_turned=is_turned)) == code


@pytest.mark.parametrize(
    ("pixels", "width", "height"),
    [
        (b"", 0, 0),
        (b"\xff" * 100, 10, 10),
        (b"\xff" * 99, 10, 10),
        (b"\xff" * 100, -10, -10),
        (b"", 9999, PIXELS_MAX),
    ],
)
def test_what_is_no_picture_of_a_code_gives_nothing(pixels: bytes, width: int, height: int) -> None:
    assert read_code(pixels, width, height) == ""
