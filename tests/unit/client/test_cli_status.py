"""What the status says about the last contact: the date spelled out, and a warning that does not need colour."""

from io import StringIO

import pytest
from rich.console import Console

from gridlog.cli_status import status_page, unreachable_text
from gridlog.cli_times import DAY_MS, ago, spelled_out
from gridlog.records import SyncStatus
from gridlog_protocol.texts import Language, Text

NOW_MS = 1_795_312_200_000
HOUR_MS = DAY_MS // 24


def standing(last_contact_ms: int, *, pending: int = 0) -> SyncStatus:
    return SyncStatus(pending, 0, 7, 0, last_contact_ms, "张三", "武昌区", ("tenant", "420106001001001"))


def page(status: SyncStatus, language: Language) -> str:
    screen = StringIO()
    Console(file=screen, width=200, force_terminal=True, color_system="standard").print(
        status_page(status, NOW_MS, language)
    )
    return screen.getvalue()


def test_contact_within_three_days_is_calm() -> None:
    text = page(standing(NOW_MS - 3 * DAY_MS), "en")
    assert "(3 days ago)" in text
    assert "⚠" not in text


@pytest.mark.parametrize(
    ("language", "warning"), [("zh", "超过 3 天没有联系"), ("en", "over 3 days: find a network and synchronise")]
)
def test_more_than_three_days_without_contact_is_red_and_says_so(language: Language, warning: str) -> None:
    text = page(standing(NOW_MS - 3 * DAY_MS - 1), language)
    assert warning in text
    assert "\x1b[31m⚠" in text


def test_a_store_that_never_met_its_server_says_so() -> None:
    assert "⚠ 还没有同步过" in page(standing(0), "zh")


def test_a_clock_that_went_back_does_not_frighten() -> None:
    assert "just now" in page(standing(NOW_MS + DAY_MS), "en")


def test_the_date_is_spelled_out_in_both_languages() -> None:
    noon_everywhere_near = NOW_MS
    assert "年" in spelled_out(noon_everywhere_near, "zh")
    assert "November 2026" in spelled_out(noon_everywhere_near, "en")


@pytest.mark.parametrize(
    ("elapsed_ms", "text"),
    [
        (59_999, Text("刚刚", "just now")),
        (60_000, Text("1 分钟前", "1 minute ago")),
        (2 * HOUR_MS - 1, Text("1 小时前", "1 hour ago")),
        (49 * HOUR_MS, Text("2 天前", "2 days ago")),
    ],
)
def test_how_long_ago_is_said_in_the_largest_whole_unit(elapsed_ms: int, text: Text) -> None:
    assert ago(elapsed_ms) == text


def test_an_unreachable_server_is_no_reason_to_fear_for_the_work() -> None:
    unreachable = Text("连不上服务器。", "The server cannot be reached.")
    assert unreachable_text(unreachable, standing(0, pending=2)) == Text(
        "连不上服务器。什么都没有丢：2 项修改在本机等待。",
        "The server cannot be reached. Nothing is lost: 2 changes wait on this device.",
    )
    assert unreachable_text(unreachable, standing(0)).en.endswith("Nothing waits to be sent.")
