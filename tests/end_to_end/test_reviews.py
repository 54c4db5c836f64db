"""What is held, decided about by commands beside the running server, and what the phones show of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.processes import GRID, DeviceCommands, ServerProcess

pytestmark = pytest.mark.long

WEST = "42010600100102"
PATROL = ("patrol_type=daily", "started_at=2026-11-22 09:10", "leader=me")
NUMBER = "420106001001-20261122-X0001"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def phones(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[DeviceCommands, DeviceCommands]:
    """Return the phone of somebody who works in one grid, and that of a colleague who works in two."""
    place = tmp_path_factory.mktemp("phones")
    mine, partner = DeviceCommands(place / "mine"), DeviceCommands(place / "partner")
    assert mine.run("enrol", server.admin_enroll("W1", "张三", GRID)).code == 0
    assert partner.run("enrol", server.admin_enroll("W2", "李四", GRID, WEST)).code == 0
    return mine, partner


def written(phone: DeviceCommands, *values: str) -> str:
    done = phone.run("write", "patrol", *PATROL, *values)
    assert (done.code, done.err) == (0, "")
    synchronised(phone)
    return done.out.splitlines()[1]


def synchronised(*phones: DeviceCommands) -> None:
    for phone in phones:
        done = phone.run("sync")
        assert (done.code, done.err) == (0, "")


def the_held_op(server: ServerProcess, record: str) -> str:
    [found] = [each["op"] for each in server.command_json("held") if each["record"] == record]
    return str(found)


def test_a_released_record_goes_to_those_who_may_hold_it(
    server: ServerProcess, phones: tuple[DeviceCommands, DeviceCommands]
) -> None:
    mine, partner = phones
    record = written(mine, f"grid_code={WEST}", "summary=别的网格")
    assert "outside your grids" in mine.run("held").out

    done = server.command("release", the_held_op(server, record), "--by", "督导王", "--reason", "情况属实")
    assert (done.code, done.err) == (0, "")
    assert "released at position" in done.out

    synchronised(mine, partner)
    assert "别的网格" in partner.run("show", record).out
    said = mine.run("held").out
    assert "Nothing is held." in said
    assert "accepted" in said
    again = server.command("reject", done.out.split()[0], "--by", "李", "--reason", "重复的记录")
    assert again.code == 1
    assert "督导王 released it already" in again.err


def test_a_rejected_record_leaves_its_authors_screen_with_the_reason(
    server: ServerProcess, phones: tuple[DeviceCommands, DeviceCommands]
) -> None:
    mine, partner = phones
    record = written(mine, f"grid_code={WEST}", "summary=写错了地方")
    op = the_held_op(server, record)
    too_short = server.command("reject", op, "--by", "督导王", "--reason", "不行")
    assert (too_short.code, "5 to 200 characters" in too_short.err) == (1, True)

    assert server.command("reject", op, "--by", "督导王", "--reason", "不在本社区范围内").code == 0

    synchronised(mine, partner)
    assert mine.run("show", record).code == 1
    assert partner.run("show", record).code == 1
    said = mine.run("held", COLUMNS="200").out
    assert "not accepted" in said
    assert "不在本社区范围内" in said
    assert "写错了地方" in said
    assert "未被采纳" in mine.run("held", COLUMNS="200", GRIDLOG_LANG="zh").out
    assert mine.run("status", "--json").json["rejected"] == 1


def test_a_proposal_is_shown_when_the_office_accepts_it(
    server: ServerProcess, phones: tuple[DeviceCommands, DeviceCommands]
) -> None:
    mine, partner = phones
    record = written(mine, f"record_no={NUMBER}")
    assert "waits for the office" in mine.run("held").out
    assert "record_no" not in mine.run("show", record, "--json").json["values"]

    answer = server.command_json("release", the_held_op(server, record), "--by", "督导王")

    assert [each["verdict"] for each in answer["decided"]] == ["released"]
    synchronised(mine, partner)
    for phone in phones:
        assert phone.run("show", record, "--json").json["values"]["record_no"] == NUMBER
