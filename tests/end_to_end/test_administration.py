"""What an administrator types about people, devices and grids, beside a running server and without one."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import GRID, DeviceCommands, Finished, ServerProcess, run_command

pytestmark = pytest.mark.long

WEST = "420106001001002"
TABLE = f"网格编码,名称,上级,层级\n{GRID},第一网格,420106001001,3\n{WEST},第二网格,420106001001,3\n"
PATROL = ("patrol_type=daily", "started_at=2026-11-22 09:10", "leader=me")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(params=["running", "stopped"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    made = ServerProcess(tmp_path / "data")
    if request.param == "running":
        made.start()
    yield made
    made.kill()


def refused(done: Finished, sentence: str) -> None:
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err


def test_people_and_grids_are_managed_whether_the_server_runs_or_not(office: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "grids.csv"
    file.write_bytes(TABLE.encode("gb18030"))
    assert office.command_json("admin", "grid", "import", str(file)) == {"read": 2, "written": 2}
    assert "Read 2, new 0." in office.command("admin", "grid", "import", str(file)).out
    added = office.command_json("admin", "user", "add", "W1", "--name", "张三", "--grid", GRID)
    assert added == {"staff_no": "W1", "name": "张三", "status": "active", "grids": [GRID]}
    assert office.command_json("admin", "user", "grids", "W1", GRID, WEST)["grids"] == [GRID, WEST]
    assert (
        office.command("admin", "user", "disable", "W1", "--reason", "调岗").out
        == f"W1 张三: disabled, {GRID}、{WEST}\n"
    )
    refused(office.command("admin", "enroll", "W1"), "W1 is disabled")
    assert office.command_json("admin", "user", "enable", "W1")["status"] == "active"
    nothing = {"devices": 0, "roles": ["worker"], "subtree": "", "has_password": False}
    assert office.command_json("admin", "user", "list") == [added | {"grids": [GRID, WEST]} | nothing]
    assert [each["staff_nos"] for each in office.command_json("admin", "grid", "list")] == [["W1"], ["W1"]]
    assert "第一网格" in office.command("admin", "grid", "list").out
    done = office.command_json("admin", "acts")
    assert [each["what"] for each in done] == ["user.enable", "user.disable", "user.grids", "user.add", "import"]
    assert {each["by"] for each in done} == {getpass.getuser()}
    assert "调岗" in office.command("admin", "acts").out


def test_a_lost_handheld_is_suspended_resumed_and_revoked(server: ServerProcess, tmp_path: Path) -> None:
    phone = DeviceCommands(tmp_path / "phone")
    assert phone.run("enrol", server.admin_enroll("W1", "张三")).code == 0
    [line] = server.command_json("admin", "device", "list")
    name = line["device"][:8]
    assert (line["staff_no"], line["status"]) == ("W1", "active")

    assert "is suspended" in server.command("admin", "device", "suspend", name, "--reason", "可能遗失").out
    assert phone.run("write", "patrol", *PATROL, "summary=遗失之前").code == 0
    told = phone.run("sync")
    assert (told.code, "suspended" in told.err) == (1, True)
    assert server.command_json("admin", "device", "resume", name)["status"] == "active"
    assert phone.run("sync").code == 0
    assert server.command_json("status")["ops"] == 1

    assert server.command_json("admin", "device", "revoke", name, "--reason", "确认遗失")["status"] == "revoked"
    assert phone.run("write", "patrol", *PATROL, "summary=别人写的").code == 0
    assert phone.run("sync").code == 1
    assert [each["values"]["summary"] for each in server.command_json("records")] == ["遗失之前"]
    [kept] = server.command_json("quarantine")
    assert (kept["code"], kept["ops"][0]["values"]["summary"]) == ("revoked", "别人写的")
    assert "张三" in server.command("quarantine").out
    assert server.command_json("admin", "device", "show", name)["status"] == "revoked"
    assert [each["status"] for each in server.command_json("admin", "user", "show", "W1")["devices"]] == ["revoked"]
    refused(server.command("admin", "device", "resume", name), "revoked for ever")


def names(server: ServerProcess, *filters: str) -> set[str]:
    return {each["device"][:8] for each in server.command_json("admin", "device", "list", *filters)}


def test_devices_are_found_by_what_they_last_said(server: ServerProcess, tmp_path: Path) -> None:
    phone = DeviceCommands(tmp_path / "phone")
    before = names(server)
    assert phone.run("enrol", server.admin_enroll("W8", "赵六")).code == 0
    [name] = names(server, "--never") - before
    assert phone.run("sync").code == 0
    assert name not in names(server, "--never")
    assert (name in names(server, "--silent-days", "0"), names(server, "--silent-days", "1")) == (True, set())
    assert name not in names(server, "--with-unsent")
    server.command_json("admin", "device", "suspend", name)
    assert phone.run("write", "patrol", *PATROL, "summary=等着").code == 0
    assert phone.run("sync").code == 1
    assert name in names(server, "--with-unsent")
    shown = server.command_json("admin", "device", "show", name)
    assert (shown["has_called"], shown["unsent"], shown["about"]["keys"]) == (True, 1, ["passphrase"])
    assert shown["oldest_unsent_ms"] > shown["enrolled_ms"]
    assert "passphrase" in server.command("admin", "device", "show", name).out


def test_a_handheld_is_lost_found_and_wiped_from_afar(server: ServerProcess, tmp_path: Path) -> None:
    phone = DeviceCommands(tmp_path / "phone")
    before = names(server)
    assert phone.run("enrol", server.admin_enroll("W9", "王五")).code == 0
    [name] = names(server) - before
    assert phone.run("sync").code == 0
    assert phone.run("write", "patrol", *PATROL, "summary=还没发出").code == 0

    unsure = server.command("admin", "device", "lost", name, "--reason", "公交车上")
    assert (unsure.code, "destroys its keys" in unsure.err, "--yes" in unsure.err) == (1, True, True)
    assert name not in names(server, "--lost")
    told = server.command("admin", "device", "lost", name, "--reason", "公交车上", "--yes")
    assert "is lost: it will be wiped when it next calls" in told.out
    assert names(server, "--lost") == {name}
    refused(server.command("admin", "device", "suspend", name), "is lost: suspend does not apply")
    assert "withdrawn" in server.command("admin", "device", "found", name, "--reason", "在抽屉里").out
    assert server.command_json("admin", "device", "wipe", name, "--reason", "还是没有", "--yes")["status"] == "lost"

    wiped, again = phone.run("sync"), phone.run("status")
    assert (wiped.code, "Your administrator has wiped this phone" in wiped.err) == (1, True)
    assert (again.code, "was wiped" in again.err) == (1, True)
    shown = server.command_json("admin", "device", "show", name)
    assert (shown["status"], shown["order"], shown["wiped_ms"] is not None) == ("wiped", 3, True)
    acts = ["device.wiped", "device.wipe", "device.found", "device.lost"]
    assert [each["what"] for each in shown["acts"]] == acts
    assert "Wiped, it says" in server.command("admin", "device", "show", name).out
    assert phone.run("enrol", server.admin_enroll("W9", "王五")).code == 0
    assert phone.run("sync").code == 0

    [kept] = server.command_json("quarantine", "--device", name, "--waiting")
    assert (kept["code"], kept["ops"][0]["values"]["summary"]) == ("lost", "还没发出")
    assert "take in or dismiss" in server.command("held").out
    [op] = server.command_json("take-in", str(kept["number"]), "--by", "王督导")["held"]
    assert server.command("release", op, "--by", "王督导").code == 0
    assert "还没发出" in [each["values"]["summary"] for each in server.command_json("records", "--kind", "patrol")]
    refused(server.command("dismiss", str(kept["number"]), "--by", "王督导", "--reason", "不是本人写的"), "taken in")


WRONG = (
    (("admin", "user", "show", "W404"), "没有工号为 W404 的人", "Nobody has the staff number W404"),
    (("admin", "user", "add", "", "--name", "张"), "工号不能为空", "The staff number has at least one letter"),
    (("admin", "user", "add", "X", "--name", "张", "--grid", "tenant"), "不是网格", "is not a grid"),
    (("admin", "device", "revoke", "ffffffff"), "没有编号以 ffffffff 开头的终端", "No device's id begins with"),
    (("held", "--device", "ffffffff"), "没有编号以 ffffffff 开头的终端", "No device's id begins with"),
    (("admin", "grid", "import", "/none.csv"), "读不了 /none.csv", "Cannot read /none.csv"),
    (("record", "nonsense"), "这不是记录标识", "This is not a record id"),
    (("release", "abcd", "--by", "王"), "修改的编号形如", "A held op is named like"),
)


def test_bad_input_is_named_in_both_languages_and_changes_nothing(server: ServerProcess) -> None:
    before = server.command_json("status"), server.command_json("admin", "acts")
    for number, (arguments, zh, en) in enumerate(WRONG):
        language, sentence = (("zh", zh), ("en", en))[number % 2]
        environment = {"GRIDLOG_SERVER_DATA": str(server.data_dir), "GRIDLOG_LANG": language}
        refused(run_command("gridlog-server", *arguments, environment=environment), sentence)
    assert (server.command_json("status"), server.command_json("admin", "acts")) == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "is empty"), ("编码\n1\n", 'no column "编码"'), ("网格编码,名称\n1\n", "Row 1 has 1 columns, not 2")],
)
def test_a_table_with_a_mistake_is_refused(server: ServerProcess, tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "grids.csv"
    file.write_text(text, encoding="utf-8")
    refused(server.command("admin", "grid", "import", str(file)), sentence)


def test_the_log_is_listed_newest_first_or_in_order_after_a_position(server: ServerProcess, tmp_path: Path) -> None:
    phone = DeviceCommands(tmp_path / "phone")
    assert phone.run("enrol", server.admin_enroll("W2", "李四")).code == 0
    before = server.command_json("status")["log_position"]
    for number in range(3):
        assert phone.run("write", "patrol", *PATROL, f"summary=第 {number} 趟").code == 0
    assert phone.run("sync").code == 0
    newest = server.command_json("log", "--limit", "2")
    assert [each["position"] for each in newest] == [before + 3, before + 2]
    following = server.command_json("log", "--after", str(before))
    assert [each["position"] for each in following] == [before + 1, before + 2, before + 3]
    assert following[1:] == newest[::-1]
    [record] = [each for each in server.command_json("records", "--limit", "1") if each["changed"] == before + 3]
    assert (following[2]["record"], following[2]["author"], following[2]["type"]) == (
        record["id"],
        "李四",
        "accepted",
    )
    assert "summary" in following[2]["fields"]
    assert "李四" in server.command("log").out
    shown = server.command_json("record", record["id"])
    assert [each["position"] for each in shown["history"]] == [before + 3]
    assert server.command_json("records", "--grid", WEST) == []
    assert len(server.command_json("records", "--grid", GRID, "--kind", "patrol")) >= 3
