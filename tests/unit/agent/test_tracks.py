"""A track is cut as the kind demands, a gap stays a gap, and a file is read for places and times alone."""

from __future__ import annotations

import itertools

import pytest

from gridlog.agent.gpx import BYTES_MAX, GpxError, read_gpx
from gridlog.agent.speech import local
from gridlog.agent.tracks import Fix, chunked, drawing, fixes_of, metres
from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import check_value, shipped_kinds

START_MS = 1_795_000_000_000
DEVICE = bytes(range(16))


def walked(seconds: list[int]) -> list[Fix]:
    return [Fix(3_057_000 + number, 11_432_000, START_MS + at * 1000) for number, at in enumerate(seconds)]


def rows(fixes: list[Fix]) -> list[Value]:
    keys = (f"{number:016x}" for number in itertools.count())
    chunks = chunked(fixes, next_number=0, new_key=lambda: next(keys))
    return [each.row(DEVICE, lambda ms: local(ms).isoformat(timespec="seconds")) for each in chunks]


def test_an_hour_becomes_chunks_that_the_kind_takes() -> None:
    patrol = shipped_kinds().get("patrol")
    assert patrol is not None

    made = rows(walked(list(range(0, 3600, 20))))

    assert check_value(patrol.fields["track_chunks"], made) is None
    assert [len(piece) for piece in fixes_of(made)] == [31, 31, 31, 31, 31, 25]


def test_fixes_that_come_too_often_are_left_out() -> None:
    (piece,) = fixes_of(rows(walked(list(range(0, 100, 5)))))

    assert [each.at_ms - START_MS for each in piece] == [0, 20_000, 40_000, 60_000, 80_000]


def test_a_silence_is_drawn_as_a_gap_and_not_walked_over() -> None:
    fixes = walked([0, 20, 40, 400, 420, 440])

    pieces = fixes_of(rows(fixes))
    drawn = drawing(pieces)

    assert len(drawn.lines) == 2
    assert len(drawn.gaps) == 1
    assert metres(pieces) == 4


def test_a_map_without_a_track_is_empty() -> None:
    assert drawing([]).lines == ()


def gpx(*points: str) -> bytes:
    body = "".join(points)
    return f'<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{body}</trkseg></trk></gpx>'.encode()


def point(latitude: object, longitude: object, time: str) -> str:
    return f'<trkpt lat="{latitude}" lon="{longitude}"><ele>3</ele><time>{time}</time></trkpt>'


def test_a_file_gives_places_and_times() -> None:
    found = read_gpx(
        gpx(point(30.57, 114.32, "2026-11-22T01:10:00Z"), point(30.5701, 114.32, "2026-11-22T01:10:20.5Z"))
    )

    assert [(each.latitude, each.longitude) for each in found] == [(3_057_000, 11_432_000), (3_057_010, 11_432_000)]
    assert found[1].at_ms - found[0].at_ms == 20_000


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no xml at all",
        gpx(),
        gpx(point(30.57, 114.32, "some day")),
        gpx(point("far", 114.32, "2026-11-22T01:10:00Z")),
        gpx(point(130.57, 114.32, "2026-11-22T01:10:00Z")),
        gpx(point("nan", 114.32, "2026-11-22T01:10:00Z")),
        b'<!DOCTYPE gpx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><gpx>&b;</gpx>',
        b'<!DOCTYPE gpx SYSTEM "http://127.0.0.1:9/x"><gpx/>',
        b" " * (BYTES_MAX + 1),
        gpx(*[point(30.57, 114.32, "2026-11-22T01:10:00Z")] * 15_002),
    ],
)
def test_a_file_that_is_no_plain_track_is_refused(raw: bytes) -> None:
    with pytest.raises(GpxError):
        read_gpx(raw)
