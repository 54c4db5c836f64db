"""The bench, at sizes that take seconds: every figure is there and possible. How large they are is not for tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.bench.__main__ import EXCHANGES, STORES, measured, table
from tools.bench.meter import Meter, Traffic
from tools.bench.sizes import Figures, Sizes
from tools.proxy import Direction

TINY = Sizes(
    few=3,
    push=20,
    push_many=40,
    repeated=1,
    devices=2,
    ops_each=4,
    bad_link=4,
    differing=2,
    stored=40,
    saves=20,
    searches=4,
)
PROMISED = {
    "idle_bytes",
    "idle_round_trips",
    "push20_bytes",
    "push20_round_trips",
    "push1000_bytes_per_record",
    "push1000_records_per_s",
    "pull1000_bytes_per_record",
    "pull1000_records_per_s",
    "push10000_records_per_s",
    "fleet50x100_records_per_s",
    "badlink500_s",
    "badlink500_bytes_up_over_good",
    "save_ms_p50",
    "save_ms_p95",
    "unlock_50k_s",
    "replay_50k_s",
    "search_50k_ms_p95",
    "rss_50k_mib",
    "disk_bytes_per_record",
    "repair_10k_20_bytes",
    "repair_10k_20_round_trips",
}
README = Path(__file__).parents[3] / "tools" / "README.md"


@pytest.fixture(scope="module")
def figures() -> Figures:
    return measured([*EXCHANGES, STORES], TINY)


@pytest.mark.long
def test_every_promised_figure_is_measured_and_above_nothing(figures: Figures) -> None:
    assert figures.keys() >= PROMISED
    assert all(figures[name] > 0 for name in PROMISED)
    json.dumps(figures)


@pytest.mark.long
def test_every_floor_stands_beside_a_figure_in_the_table(figures: Figures) -> None:
    floors = {name for name in figures if name.startswith("floor_")}
    assert len(floors) >= 8
    assert all(name.removeprefix("floor_") in figures for name in floors)
    assert table(figures, 1.0).row_count == len(figures) - len(floors)


@pytest.mark.long
def test_what_an_exchange_costs_is_within_reason(figures: Figures) -> None:
    assert figures["idle_round_trips"] == figures["push20_round_trips"] == 1
    assert figures["repair_10k_20_round_trips"] <= 3
    assert 224 < figures["idle_bytes"] <= 400
    assert figures["push20_bytes"] > figures["idle_bytes"]


def test_the_readme_says_what_each_promised_figure_means() -> None:
    text = README.read_text("utf-8")
    assert [name for name in sorted(PROMISED) if f"`{name}`" not in text] == []


def test_a_meter_tells_bodies_from_headers_however_a_line_slices_them() -> None:
    request = b"POST /v1/sync HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\n\r\nhello"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
    for size in (1, 7, 1000):
        meter = Meter()
        for said, direction in (
            (request * 2, Direction.UP),
            (answer + b"HTTP/1.1 204 No Content\r\n\r\n", Direction.DOWN),
        ):
            for at in range(0, len(said), size):
                meter.hear(1, direction, said[at : at + size])
        headers = 2 * (len(request) - 5) + len(answer) - 3 + len(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert meter.traffic == Traffic(round_trips=2, body_up=10, body_down=3, headers=headers)
