"""The `gridlog` command as a worker uses it: real processes, a real server that comes and goes."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.processes import GRID, DeviceCommands, Finished, ServerProcess

PATROL = ("patrol_type=daily", "started_at=2026-11-22 09:10", "leader=me")


@dataclass(frozen=True, slots=True)
class Beginning:
    """A new server and its first device, 张三's, neither of which has done anything yet: tests begin with copies."""

    place: Path
    port: int


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    place = tmp_path_factory.mktemp("beginning")
    with ServerProcess(place / "server") as running:
        enrolled(running, place / "store", "W1", "张三")
        assert running.stop() == 0
        return Beginning(place, running.port)


@pytest.fixture
def server(beginning: Beginning, tmp_path: Path) -> Iterator[ServerProcess]:
    copy = shutil.copytree(beginning.place / "server", tmp_path / "server")
    with ServerProcess(copy, beginning.port) as running:
        yield running


@pytest.fixture
def mine(server: ServerProcess, beginning: Beginning, tmp_path: Path) -> DeviceCommands:
    del server  # It runs first; the device knows its address.
    return DeviceCommands(shutil.copytree(beginning.place / "store", tmp_path / "mine"))


@pytest.fixture(scope="module")
def untouched(beginning: Beginning) -> DeviceCommands:
    """Return an enrolled device on which every test leaves things as they are. Its server is gone."""
    return DeviceCommands(beginning.place / "store")


def enrolled(server: ServerProcess, store: Path, staff_no: str, name: str) -> DeviceCommands:
    device = DeviceCommands(store)
    done = device.run("enrol", server.admin_enroll(staff_no, name))
    assert (done.code, done.err) == (0, "")
    assert f"Enrolled: {name}, 武昌区, grid {GRID}." in done.out
    return device


def written(device: DeviceCommands, *values: str) -> str:
    """Write a patrol, and return its id: the line that stands alone."""
    done = device.run("write", "patrol", *PATROL, *values)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()[1]


def synchronised(device: DeviceCommands) -> Finished:
    done = device.run("sync")
    assert (done.code, done.err) == (0, "")
    return done


def failed(done: Finished, sentence: str) -> None:
    assert done.code == 1
    assert done.out == ""
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_record_written_without_a_network_is_kept_and_sent_when_the_server_is_back(
    server: ServerProcess, mine: DeviceCommands
) -> None:
    server.stop()
    saved = mine.run("write", "patrol", *PATROL, "summary=上午走完", "handled_on_spot=3")
    assert saved.out.splitlines()[0] == "Saved: Patrol · Daily · 2026-11-22 09:10"
    assert "on this phone only" in saved.out
    record = saved.out.splitlines()[1]

    failed(mine.run("sync"), "Nothing is lost: 1 change waits on this device.")
    assert mine.run("pending").out.count(record[:13]) == 1
    assert "Never synchronised" in mine.run("status").out

    server.start()
    assert "Sent 1 change, received 1 record." in synchronised(mine).out
    assert "Sent 0 changes" in synchronised(mine).out
    shown = mine.run("show", record).out
    assert "received by the server: receipt" in shown
    assert "上午走完" in shown
    assert mine.run("pending").out == "Nothing waits to be sent.\n"
    assert "Last contact with the server" in mine.run("status").out
    assert [each["id"] for each in server.command_json("records")] == [record]


def test_time_and_grid_are_filled_in_unless_given(mine: DeviceCommands) -> None:
    values = mine.run("show", written(mine), "--json").json["values"]
    assert values["grid_code"] == GRID
    assert values["occurred_at"][:2] == "20"
    given = written(mine, "occurred_at=2026-11-22T00:00:00Z", "comments+=补录")
    assert mine.run("show", given, "--json").json["values"]["occurred_at"] == "2026-11-22T00:00:00+00:00"


def test_an_id_may_be_abbreviated_and_a_list_filtered(mine: DeviceCommands) -> None:
    first = written(mine, "weather=sunny")
    second = written(mine, "weather=雨")
    assert mine.run("show", first[:13], "--json").json["id"] == first
    assert mine.run("edit", second[:13], "weather=snow").code == 0
    assert [each["id"] for each in mine.run("list", "patrol", "--json").json] == [second, first]
    assert [each["id"] for each in mine.run("list", "巡查", "--where", "天气=Snow", "--json").json] == [second]
    assert len(mine.run("list", "patrol", "--limit", "1", "--json").json) == 1
    assert mine.run("list", "mediation").out == "There are no such records.\n"
    failed(mine.run("show", first[:4]), "2 records begin so")
    failed(mine.run("show", "ffffff"), "This phone does not hold the record.")
    failed(mine.run("show", "xyz"), "Give at least 4 digits")


def test_partners_who_edit_the_same_record_both_see_the_conflict_and_one_settles_it(
    server: ServerProcess, mine: DeviceCommands, tmp_path: Path
) -> None:
    partner = enrolled(server, tmp_path / "partner", "W2", "李四")
    record = written(mine, "handled_on_spot=3", "companions=王五")
    synchronised(mine)
    assert "received 1 record." in synchronised(partner).out

    assert mine.run("edit", record, "summary=甲的小结", "handled_on_spot+=5", "companions+=钱七").code == 0
    assert partner.run("edit", record, "summary=乙的小结", "handled_on_spot+=3", "companions-=王五").code == 0
    synchronised(mine)
    assert "⚠ 1 record in conflict: gridlog conflicts" in synchronised(partner).out
    synchronised(mine)

    values = mine.run("show", record, "--json").json["values"]
    assert values == partner.run("show", record, "--json").json["values"]
    assert (values["handled_on_spot"], values["companions"]) == (11, ["钱七"])
    seen = mine.run("conflicts").out
    assert "⚠ Summary: people wrote different things; somebody must decide" in seen
    assert "    甲的小结  — 张三" in seen
    assert "  ▶ 乙的小结  — colleague" in seen
    assert seen.splitlines()[1:] == mine.run("show", record).out.splitlines()[-len(seen.splitlines()) + 1 :]
    (conflict,) = partner.run("show", record, "--json").json["conflicts"]
    assert [each["value"] for each in conflict["values"]] == ["甲的小结", "乙的小结"]
    assert mine.run("status", "--json").json["conflicts"] == 1

    assert mine.run("edit", record[:13], "summary=两人的小结").code == 0
    synchronised(mine)
    synchronised(partner)
    told = partner.run("conflicts").out
    assert told.startswith("Nothing is in conflict.\n")
    assert "Summary: not yours, '乙的小结', was kept, but '两人的小结'." in told
    assert "两人的小结" in partner.run("show", record).out


def test_a_report_can_be_read_by_a_script(server: ServerProcess, mine: DeviceCommands) -> None:
    written(mine)
    report = mine.run("sync", "--json").json
    assert (report["sent"], report["held"], report["conflicts"], report["is_equal"]) == (1, 0, 0, True)
    assert report["bytes_up"] > 0
    status = mine.run("status", "--json").json
    assert (status["user_name"], status["pending"], status["records"]) == ("张三", 0, 1)
    server.kill()
    failed(mine.run("sync", "--json"), "The server cannot be reached.")


def test_an_enrolment_code_works_once_and_a_store_is_enrolled_once(
    server: ServerProcess, mine: DeviceCommands, tmp_path: Path
) -> None:
    code = server.admin_enroll("W2", "李四")
    failed(mine.run("enrol", code), "This phone is enrolled already.")
    other = DeviceCommands(tmp_path / "other")
    failed(other.run("enrol", code[:-1]), "This is not a valid enrolment code.")
    assert not other.store.exists()

    server.stop()
    failed(other.run("enrol", code), "run it again with the same code when there is a network")
    failed(other.run("status"), "This phone is not enrolled yet.")
    failed(other.run("write", "patrol", *PATROL), "This phone is not enrolled yet.")
    server.start()
    assert other.run("enrol", code).code == 0
    failed(DeviceCommands(tmp_path / "third").run("enrol", code), "code")


def test_a_wrong_passphrase_opens_nothing(untouched: DeviceCommands, tmp_path: Path) -> None:
    failed(untouched.run("status", GRIDLOG_PASSPHRASE="not the right one"), "The passphrase is wrong.")
    failed(DeviceCommands(tmp_path / "nowhere").run("status"), "There is no store in")


def test_a_short_passphrase_makes_no_store(server: ServerProcess, tmp_path: Path) -> None:
    device = DeviceCommands(tmp_path / "weak", passphrase="short")
    failed(device.run("enrol", server.admin_enroll("W3", "王五")), "The passphrase is too short")
    assert not device.store.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("write", "drone_flight", "a=b"), 'There is no kind of record called "drone_flight".'),
        (("write", "patrol", "sumary=x"), 'There is no field "sumary". Did you mean summary'),
        (("write", "patrol", "patrol_type=weekly"), "They are: daily, special"),
        (("write", "patrol", "patrol_type=daily"), "Fill in “Leader”. (leader)"),
        (("write", "patrol", *PATROL, "handled_on_spot=900"), "may not be above 200. (handled_on_spot)"),
        (("write", "patrol", *PATROL, "state=dreaming"), "They are: planned, in_progress"),
        (("write", "patrol", "nothing"), "Write field=value"),
        (("list", "patrol", "--where", "colour=red"), 'There is no field "colour".'),
        (("kinds", "drone_flight"), 'There is no kind of record called "drone_flight".'),
    ],
)
def test_a_slip_is_explained_and_nothing_is_written(
    untouched: DeviceCommands, arguments: tuple[str, ...], sentence: str
) -> None:
    failed(untouched.run(*arguments), sentence)
    assert untouched.run("pending").out == "Nothing waits to be sent.\n"


def test_every_missing_field_is_named_on_a_line_of_its_own(untouched: DeviceCommands) -> None:
    refused = untouched.run("write", "patrol", "patrol_type=daily")
    assert refused.err.splitlines() == ["Fill in “Started at”. (started_at)", "Fill in “Leader”. (leader)"]


def test_the_kinds_can_be_looked_up_without_a_store(tmp_path: Path) -> None:
    device = DeviceCommands(tmp_path / "none")
    assert "patrol_type, started_at, leader" in device.run("kinds").out
    explained = device.run("kinds", "patrol", GRIDLOG_PASSPHRASE="")
    assert "daily / special" in explained.out
    assert "received_at" not in explained.out


def test_a_worker_reads_chinese_unless_another_language_is_asked_for(mine: DeviceCommands) -> None:
    done = mine.run("write", "巡查", "巡查类型=日常巡查", "开始时间=2026-11-22 09:10", "带队人=我", GRIDLOG_LANG="zh")
    assert done.out.splitlines()[0] == "已保存：巡查 · 日常巡查 · 2026-11-22 09:10"
    assert mine.run("status", GRIDLOG_LANG="zh").out.splitlines()[0] == f"张三，武昌区，网格 {GRID}"


def test_what_a_colleague_wrote_cannot_steer_the_terminal(
    server: ServerProcess, mine: DeviceCommands, tmp_path: Path
) -> None:
    record = written(mine, "summary=\x1b]0;x\x07[red]红[/]\u202e倒")
    synchronised(mine)
    partner = enrolled(server, tmp_path / "partner", "W2", "李四")
    synchronised(partner)
    shown = partner.run("show", record).out
    assert r"\u001b]0;x\u0007[red]红[/]\u202e倒" in shown
    assert "\x1b" not in shown


def test_synchronising_until_ctrl_c_says_a_line_a_turn_and_ends_quietly(
    server: ServerProcess, mine: DeviceCommands
) -> None:
    assert mine.run("write", "patrol", *PATROL).code == 0
    running = mine.started("sync", "--keep", "--every", "1")
    assert running.stdout is not None
    line = running.stdout.readline()
    assert "Sent 1 change, received" in line
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (0, "")
    assert "Stopped. Everything is saved on this device." in out
    assert server.is_running
    assert mine.run("status", "--json").json["pending"] == 0


def test_a_budget_that_is_spent_is_said(server: ServerProcess, mine: DeviceCommands) -> None:
    assert server.is_running
    for _ in range(2):
        assert (
            mine.run("write", "patrol", *PATROL, "summary=" + "".join(chr(0x4E00 + 37 * n) for n in range(480))).code
            == 0
        )
    done = mine.run("sync", "--budget-kb", "3")
    assert (done.code, done.err) == (0, "")
    assert "Synchronised in part." in done.out
    assert "The budget is spent" in done.out
    assert mine.run("sync", "--keep", "--budget-kb", "3").code == 1
    assert "Synchronised." in mine.run("sync").out
