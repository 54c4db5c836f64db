"""Read the fixes of a GPX file: bounded, without entities, and nothing but places and times.

A file that declares a document type is refused before it is read on: GPX needs none, and entities are how a small
file becomes a large one.
"""

from __future__ import annotations

from xml.parsers import expat

from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.kinds.value_types import LATITUDE_MAX, LONGITUDE_MAX
from gridlog_protocol.texts import Text

from .tracks import Fix

BYTES_MAX = 4_000_000
FIXES_MAX = 15_000
_TEXT_MAX = 64
_UNITS = 100_000


class GpxError(ValueError):
    """The file is no GPX track with places and times, or larger than this app reads."""

    text = Text(
        "读不了这个文件：需要带时间的 GPX 轨迹，最大 4 MB。",
        "This file cannot be read: it must be a GPX track with times, of 4 MB at most.",
    )


class _Reader:
    """Notes place and time of each `trkpt`, and forgets everything else."""

    def __init__(self) -> None:
        self.fixes: list[Fix] = []
        self._place: tuple[int, int] | None = None
        self._at_ms: int | None = None
        self._text: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "trkpt":
            self._place, self._at_ms = _place(attributes), None
        elif local == "time" and self._place is not None:
            self._text = ""

    def characters(self, text: str) -> None:
        if self._text is not None and len(self._text) < _TEXT_MAX:
            self._text += text

    def end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if local == "time" and self._text is not None:
            self._at_ms, self._text = _milliseconds(self._text.strip()), None
        elif local == "trkpt":
            if self._place is not None and self._at_ms is not None:
                self.fixes.append(Fix(*self._place, self._at_ms))
            self._place = None
            if len(self.fixes) > FIXES_MAX:
                raise GpxError


def read_gpx(raw: bytes) -> list[Fix]:
    """Return the fixes of a track, as the file has them. Raises GpxError."""
    if len(raw) > BYTES_MAX:
        raise GpxError
    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(raw, True)
    except expat.ExpatError:
        raise GpxError from None
    if not reader.fixes:
        raise GpxError
    return reader.fixes


def _refuse(*_: object) -> None:
    raise GpxError


def _place(attributes: dict[str, str]) -> tuple[int, int] | None:
    try:
        latitude = round(float(attributes["lat"]) * _UNITS)
        longitude = round(float(attributes["lon"]) * _UNITS)
    except (KeyError, ValueError, OverflowError):
        return None
    is_on_earth = abs(latitude) <= LATITUDE_MAX and abs(longitude) <= LONGITUDE_MAX
    return (latitude, longitude) if is_on_earth else None


def _milliseconds(text: str) -> int | None:
    """Read a time of GPX, which is UTC: `2026-11-22T01:10:00Z`, with or without a fraction of a second."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    if fraction and not fraction.isdecimal():
        return None
    is_utc = text.endswith("Z")
    return moment_ms(f"{head}+00:00") if is_utc else moment_ms(text)
