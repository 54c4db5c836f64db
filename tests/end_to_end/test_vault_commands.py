"""PIN, passphrase and wipe as a worker uses them: real commands on a real store, whose server is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.processes import GRID, PASSPHRASE, DeviceCommands, Finished, ServerProcess, run_command

pytestmark = pytest.mark.long

SECRET = b"of this handheld, from its key store"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one patrol that was never sent."""
    place = tmp_path_factory.mktemp("template")
    with ServerProcess(place / "server") as server:
        device = DeviceCommands(place / "store")
        assert device.run("enrol", server.admin_enroll("W1", "张三", GRID)).code == 0
        written = device.run(
            "write", "patrol", "patrol_type=daily", "started_at=now", "leader=me", "summary=路灯不亮"
        )
        assert written.code == 0, written
    return place / "store"


@pytest.fixture
def mine(template: Path, tmp_path: Path) -> DeviceCommands:
    (tmp_path / "secret").write_bytes(SECRET)
    return DeviceCommands(shutil.copytree(template, tmp_path / "mine"))


@pytest.fixture
def with_pin(mine: DeviceCommands, tmp_path: Path) -> DeviceCommands:
    done = mine.run("pin", GRIDLOG_NEW_PIN="280417", GRIDLOG_DEVICE_SECRET=str(tmp_path / "secret"))
    assert (done.code, done.err) == (0, "")
    assert "The PIN is set." in done.out
    return mine


def by_pin(device: DeviceCommands, pin: str, *command: str, secret: str = "secret", language: str = "en") -> Finished:
    """Run a command that has no passphrase, but a PIN and what the device adds."""
    environment = {
        "GRIDLOG_STORE": str(device.store),
        "GRIDLOG_PIN": pin,
        "GRIDLOG_LANG": language,
        "GRIDLOG_WEAK_KDF_FOR_TESTS": "1",
    }
    if secret:
        environment["GRIDLOG_DEVICE_SECRET"] = str(device.store.parent / secret)
    return run_command("gridlog", *command, environment=environment)


def failed(done: Finished, sentence: str) -> None:
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_pin_opens_the_store_and_the_passphrase_still_does(with_pin: DeviceCommands) -> None:
    for listed in (by_pin(with_pin, "280417", "list", "patrol"), with_pin.run("list", "patrol")):
        assert (listed.code, listed.err) == (0, "")
        assert "on this phone only" in listed.out
    unlocked = by_pin(with_pin, "280417", "unlock")
    assert (unlocked.err, unlocked.out) == ("", "It opens. What opens it: passphrase, PIN.\n")


def test_wrong_pins_are_counted_from_process_to_process_until_the_worker_must_wait(with_pin: DeviceCommands) -> None:
    failed(by_pin(with_pin, "111222", "status"), "The PIN is wrong. After 9 more it is destroyed.")
    failed(by_pin(with_pin, "111222", "status", language="zh"), "PIN 不对。再错 8 次，PIN 就会作废。")
    failed(by_pin(with_pin, "111222", "status"), "After 7 more it is destroyed. Wait 30 seconds before the next.")
    failed(by_pin(with_pin, "280417", "status"), "Too many wrong PINs. Wait ")
    assert with_pin.run("status").code == 0


def test_a_pin_is_nothing_without_the_secret_of_the_device(with_pin: DeviceCommands) -> None:
    failed(by_pin(with_pin, "280417", "status", secret=""), "This PIN needs the device's secret, which is missing.")
    failed(by_pin(with_pin, "280417", "status", secret="nowhere"), "The device secret must be a file of 16 to 1024")
    (with_pin.store.parent / "other").write_bytes(b"of another handheld, or guessed")
    failed(by_pin(with_pin, "280417", "status", secret="other"), "The PIN is wrong.")


def test_a_plain_pin_is_set_only_when_somebody_says_so_and_is_called_weak(mine: DeviceCommands) -> None:
    failed(mine.run("pin", GRIDLOG_NEW_PIN="280417"), "is guessed in minutes from a copy of the files.")
    done = mine.run("pin", "--plain", GRIDLOG_NEW_PIN="280417")
    assert done.code == 0
    assert "This PIN has no device secret" in done.err
    assert by_pin(mine, "280417", "status", secret="").code == 0


def test_a_pin_is_changed_and_taken_away(with_pin: DeviceCommands) -> None:
    failed(with_pin.run("pin", GRIDLOG_NEW_PIN="123456"), "A PIN has at least 6 digits")
    changed = with_pin.run(
        "pin", GRIDLOG_NEW_PIN="739105", GRIDLOG_DEVICE_SECRET=str(with_pin.store.parent / "secret")
    )
    assert changed.code == 0
    failed(by_pin(with_pin, "280417", "status"), "The PIN is wrong.")
    removed = by_pin(with_pin, "739105", "pin", "--remove")
    assert (removed.code, removed.out) == (0, "The PIN is removed.\n")
    failed(by_pin(with_pin, "739105", "status"), "There is no PIN: none was set")


def test_after_a_change_the_old_passphrase_does_not_open_the_store_any_more(mine: DeviceCommands) -> None:
    failed(mine.run("passphrase", GRIDLOG_NEW_PASSPHRASE="short"), "The passphrase is too short")
    done = mine.run("passphrase", GRIDLOG_NEW_PASSPHRASE="battery horse correct")
    assert (done.code, done.err) == (0, "")
    failed(mine.run("status"), "The passphrase is wrong.")
    failed(mine.run("passphrase", GRIDLOG_NEW_PASSPHRASE=PASSPHRASE), "The passphrase is wrong.")
    assert "on this phone only" in mine.run("list", "patrol", GRIDLOG_PASSPHRASE="battery horse correct").out


def test_a_wipe_asks_and_afterwards_every_command_says_that_the_store_was_wiped(mine: DeviceCommands) -> None:
    environment = {"GRIDLOG_STORE": str(mine.store)}
    asked = run_command("gridlog", "wipe", environment=environment, typed="n\n")
    assert asked.code == 1
    assert "Nothing was destroyed." in asked.err
    assert "is lost for good" in asked.err
    assert mine.run("status").code == 0

    done = run_command("gridlog", "wipe", environment=environment, typed="y\n")
    assert done.code == 0
    assert "Everything is destroyed." in done.out
    assert {path.name for path in mine.store.iterdir()} == {"keys.gl", "lock"}
    failed(mine.run("status"), "was wiped and cannot be recovered. Enrol this device again.")
    failed(mine.run("list", "patrol", GRIDLOG_LANG="zh"), "已被清除，无法恢复")


def test_a_wipe_needs_no_passphrase_but_a_store(mine: DeviceCommands, tmp_path: Path) -> None:
    failed(
        run_command("gridlog", "wipe", "--yes", environment={"GRIDLOG_STORE": str(tmp_path / "none")}),
        "There is no store in",
    )
    assert run_command("gridlog", "wipe", "--yes", environment={"GRIDLOG_STORE": str(mine.store)}).code == 0


def test_a_wiped_directory_takes_a_new_store(mine: DeviceCommands, tmp_path: Path) -> None:
    assert mine.run("wipe", "--yes").code == 0
    with ServerProcess(tmp_path / "server") as server:
        done = mine.run("enrol", server.admin_enroll("W1", "张三", GRID))
        assert (done.code, done.err) == (0, "")
    assert "on this phone only" not in mine.run("list", "patrol").out


def test_a_command_verifies_the_store(mine: DeviceCommands) -> None:
    done = mine.run("verify")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Sound: ")
