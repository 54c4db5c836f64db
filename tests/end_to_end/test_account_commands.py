"""What an administrator types about who may sign in, and what a restore does to accounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gridlog_protocol.kinds import shipped_kinds
from gridlog_server.service.accounts import Accounts, Caller, SignInRefusedError
from gridlog_server.service.grid_tree import GridTree
from gridlog_server.store.sqlite import SqliteStore
from tests.end_to_end.processes import Finished, ServerProcess, run_command

pytestmark = pytest.mark.long

PASSWORD = "晚饭后在楼下散步 7 圈"


@pytest.fixture
def office(tmp_path: Path) -> ServerProcess:
    made = ServerProcess(tmp_path / "data")
    made.command_json("admin", "user", "add", "S1", "--name", "王督导")
    return made


def typing(office: ServerProcess, typed: str, *arguments: str) -> Finished:
    environment = {"GRIDLOG_SERVER_DATA": str(office.data_dir)}
    return run_command("gridlog-server", "admin", "user", *arguments, environment=environment, typed=typed)


async def signed_in(office: ServerProcess, password: str) -> Caller:
    """Sign in on the database of a server that does not run."""
    store = await SqliteStore.open(office.data_dir / "gridlog.db")
    try:
        accounts = Accounts(store, GridTree(shipped_kinds()), now_ms=lambda: 1_900_000_000_000, entropy=os.urandom)
        return (await accounts.sign_in("S1", password, address="192.0.2.1"))[1]
    finally:
        await store.close()


async def test_a_password_typed_through_a_pipe_opens_and_is_never_shown(office: ServerProcess) -> None:
    done = typing(office, f"{PASSWORD}\n", "password", "S1", "--password-stdin")
    assert (done.code, PASSWORD in done.out + done.err) == (0, False)
    granted = office.command_json("admin", "user", "grant", "S1", "--role", "supervisor", "--role", "worker")
    assert (granted["roles"], granted["subtree"], granted["sessions_ended"]) == (["supervisor", "worker"], "", 0)
    assert (await signed_in(office, PASSWORD)).roles == {"supervisor", "worker"}
    assert office.command_json("admin", "user", "sign-out", "S1")["sessions_ended"] == 1
    assert "Supervisor" in office.command("admin", "user", "list").out
    acts = office.command_json("admin", "acts")
    assert [each["what"] for each in acts] == ["user.sign_out", "sign_in", "user.grant", "user.password", "user.add"]
    assert PASSWORD not in str(acts)


async def test_a_generated_password_is_printed_once_and_opens(office: ServerProcess) -> None:
    made = office.command_json("admin", "user", "password", "S1", "--generate")
    assert (await signed_in(office, made["password"])).staff_no == "S1"
    assert "password" not in office.command_json("admin", "user", "show", "S1")


async def test_a_password_set_beside_a_running_server_passes_through_its_socket_and_not_its_log(
    office: ServerProcess,
) -> None:
    office.start()
    try:
        assert typing(office, f"{PASSWORD}\n", "password", "S1", "--password-stdin").code == 0
        refused = typing(office, "short\n", "password", "S1", "--password-stdin")
        assert (refused.code, "10 to 128" in refused.err) == (1, True)
    finally:
        office.stop()
    assert PASSWORD not in office.log
    assert await signed_in(office, PASSWORD)


async def test_a_restore_brings_back_neither_a_session_nor_an_old_password_nor_a_lost_role(
    office: ServerProcess, tmp_path: Path
) -> None:
    assert typing(office, f"{PASSWORD}\n", "password", "S1", "--password-stdin").code == 0
    office.command_json("admin", "user", "grant", "S1", "--role", "administrator")
    await signed_in(office, PASSWORD)
    assert office.command("backup", str(tmp_path / "nightly")).code == 0
    office.command_json("admin", "user", "grant", "S1", "--role", "worker")
    changed = office.command_json("admin", "user", "password", "S1", "--generate")
    assert office.command("restore", str(tmp_path / "nightly")).code == 0

    assert office.command_json("admin", "user", "sign-out", "S1")["sessions_ended"] == 0
    [line] = office.command_json("admin", "user", "list")
    assert (line["roles"], line["has_password"]) == (["worker"], False)
    for old in (PASSWORD, changed["password"]):
        with pytest.raises(SignInRefusedError):
            await signed_in(office, old)


async def test_a_restore_without_its_journal_leaves_no_password_that_holds(
    office: ServerProcess, tmp_path: Path
) -> None:
    assert typing(office, f"{PASSWORD}\n", "password", "S1", "--password-stdin").code == 0
    assert office.command("backup", str(tmp_path / "nightly")).code == 0
    (office.data_dir / "control.journal").unlink()
    assert office.command("restore", str(tmp_path / "nightly"), "--without-journal").code == 0
    assert [each["has_password"] for each in office.command_json("admin", "user", "list")] == [False]
