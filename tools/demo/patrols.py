"""A patrol as its walker fills it in: begun, point by point, and summed up at the end."""

from __future__ import annotations

from collections.abc import Iterator

from gridlog_protocol.canonical import Value
from tools.demo.acts import Act, Change, Fields, Setting, Write
from tools.demo.world import Grid

TYPE_WEIGHTS = {
    "daily": 70,
    "special": 10,
    "security": 8,
    "night": 4,
    "holiday": 3,
    "covert": 3,
    "volunteer": 2,
}
RESULT_WEIGHTS = {"normal": 78, "abnormal": 17, "unreachable": 5}
METHOD_WEIGHTS = {"qr": 62, "gps": 30, "manual": 8}
WEATHERS = ("sunny", "cloudy", "overcast", "rain", "fog", "wind")
DAY_NOISE_LIMIT = "55.00"
NIGHT_NOISE_LIMIT = "45.00"
NOON_MINUTE = 12 * 60
DUSK_MINUTE = 17 * 60
NIGHT_MINUTE = 22 * 60
MINUTES_PER_POINT = 11


def patrol_acts(setting: Setting, key: str, start_minute: int) -> Iterator[Act]:
    """Walk 3–10 points from `start_minute` on, telling the store at every few points."""
    grid = setting.grid()
    points = setting.rng.randint(3, 10)
    yield Write("patrol", key, begun(setting, grid, start_minute))
    for first in range(0, points, 3):
        reached = range(first, min(first + 3, points))
        minute = start_minute + 5 + MINUTES_PER_POINT * first
        fields: Fields = {
            "checkpoints": [
                checkpoint(setting, grid, number, minute + MINUTES_PER_POINT * (number - first)) for number in reached
            ]
        }
        if setting.is_so(55):
            fields["handled_on_spot"] = setting.rng.randint(1, 4)
        if setting.is_so(20):
            fields["measurements"] = [noise(setting, minute)]
        yield Change(key, fields)
    end = start_minute + MINUTES_PER_POINT * points + setting.rng.randint(5, 20)
    yield Change(
        key,
        {
            "ended_at": setting.moment(end),
            "summary": setting.grammar.patrol_summary(
                setting.rng, walked=points, daytime="上午" if start_minute < NOON_MINUTE else "傍晚"
            ),
        },
    )


def checkpoint(setting: Setting, grid: Grid, number: int, minute: int) -> Value:
    """Check in at one point of the grid."""
    rng = setting.rng
    method, result = setting.weighted(METHOD_WEIGHTS), setting.weighted(RESULT_WEIGHTS)
    stamp: Fields = {
        "id": setting.element_id(),
        "checkpoint_id": f"{grid.code}-P{number + 1:02d}",
        "at": setting.moment(minute),
        "method": method,
        "result": result,
    }
    if method == "gps":
        stamp |= {"point": setting.near(grid), "acc_m": rng.randint(3, 60)}
    if result == "abnormal":
        stamp["note"] = setting.grammar.finding(rng)
    elif method == "manual" or result == "unreachable":
        stamp["note"] = rng.choice(("点位牌被刮花，扫不出", "门禁改了密码，够不着", "施工围住了，只能远看"))
    return stamp


def noise(setting: Setting, minute: int) -> Value:
    """Read the noise meter."""
    return {
        "id": setting.element_id(),
        "kind": "noise",
        "value": f"{setting.rng.randint(38, 71)}.{setting.rng.randint(0, 9)}0",
        "unit": "dB",
        "limit": NIGHT_NOISE_LIMIT if minute >= NIGHT_MINUTE else DAY_NOISE_LIMIT,
        "at": setting.moment(minute),
    }


def begun(setting: Setting, grid: Grid, minute: int) -> Fields:
    """Fill in the form of a patrol that begins."""
    rng = setting.rng
    companions: list[Value] = []
    if setting.is_so(35):
        companions.append(setting.worker.partner_id)
    if setting.is_so(30):
        companions.append(setting.grammar.word(rng, "polite"))
    return {
        "grid_code": grid.code,
        "occurred_at": setting.moment(minute),
        "patrol_type": setting.weighted(TYPE_WEIGHTS | ({} if minute >= DUSK_MINUTE else {"night": 0})),
        "shift": _shift(minute),
        "started_at": setting.moment(minute),
        "leader": setting.worker.user_id,
        "companions": companions,
        "weather": rng.choice(WEATHERS),
    }


def _shift(minute: int) -> str:
    return "early" if minute < NOON_MINUTE else "noon" if minute < DUSK_MINUTE else "evening"
