"""The operating guide tells the truth: every line that begins with `$` is run as it stands, in its order."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.processes import DeviceCommands, Finished, ServerProcess, free_port, run_command

pytestmark = pytest.mark.long

GUIDE = (Path(__file__).parent.parent / "server/README.md").read_text(encoding="utf-8")
DEVICE, HELD, ALSO_HELD = "3fa9c2d1", "3fa9c2d1-77ab01cd-14", "3fa9c2d1-77ab01cd-15"
"""What the guide calls a device and two held ops; here they are called something else."""
PATROL = ("patrol_type=daily", "started_at=2026-11-22 09:10", "leader=me")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line.removeprefix("$ ") for block in fenced("console") for line in block.splitlines()]


class Reader:
    """Somebody who does what the guide says, with a handheld at his side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = {"GRIDLOG_SERVER_DATA": str(folder / "data")}
        self.names: dict[str, str] = {}
        self.phone = DeviceCommands(folder / "phone")
        self.server: ServerProcess | None = None

    def types(self, line: str) -> Finished:
        for name, meant in self.names.items():
            line = line.replace(name, meant)
        program, *arguments = shlex.split(line)
        done = run_command(program, *arguments, environment=self.environment)
        assert (done.code, done.err) == (0, ""), line
        return done

    def starts_the_server(self) -> None:
        # A port that is free here, and an address that leads to it.
        settings = self.folder / "data" / "server.toml"
        text = settings.read_text(encoding="utf-8").replace("8420", str(self.port))
        text = text.replace("https://gridlog.example.cn", f"http://127.0.0.1:{self.port}")
        settings.write_text(text, encoding="utf-8")
        self.server = ServerProcess(self.folder / "data", self.port)
        self.server.start()

    def enrols_and_writes(self, said: Finished) -> None:
        """Enrol the phone with what `admin enroll` printed; write a note, and two that no grid of his may have."""
        (self.folder / "slip").write_text(said.out, encoding="utf-8")
        assert self.phone.run("enrol", "--file", str(self.folder / "slip")).code == 0
        for grid in ("420106001001001", "420106001001009", "420106001001009"):
            assert self.phone.run("write", "patrol", *PATROL, f"grid_code={grid}").code == 0
        assert self.phone.run("sync").code == 0
        held = [each["op"] for each in json.loads(self.types("gridlog-server held --json").out)]
        device = json.loads(self.types("gridlog-server devices --json").out)[0]["device"][:8]
        self.names = {HELD: held[0], ALSO_HELD: held[1], DEVICE: device}

    def keys_of(self, command: str) -> set[str]:
        """Return the keys of the first object that a command prints with `--json`."""
        found: Any = json.loads(self.types(f"{command} --json").out)
        return set(found[0] if isinstance(found, list) else found)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grids.csv").write_text(fenced("csv")[0], encoding="utf-8")
    (tmp_path / "street.json").write_text(fenced("json")[0], encoding="utf-8")
    made = Reader(tmp_path)
    yield made
    if made.server is not None:
        made.server.kill()


def documented_keys() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `([a-z][^`]*)` \| (`.*`) \|$", GUIDE, flags=re.MULTILINE)
    return {command: set(re.findall(r"`(\w+)`", keys)) for command, keys in rows}


def test_every_command_of_the_guide_works_and_the_keys_it_promises_are_there(reader: Reader) -> None:
    assert len(commands()) > 30
    for line in commands():
        if line == "gridlog-server run":
            reader.starts_the_server()
            continue
        if line.startswith("gridlog-server admin device revoke"):
            assert reader.phone.run("write", "patrol", *PATROL, "grid_code=420106001001001").code == 0
        done = reader.types(line)
        if line.endswith("--qr"):
            reader.enrols_and_writes(done)
        if line.startswith("gridlog-server admin device revoke"):
            assert reader.phone.run("sync").code == 1

    promised = documented_keys()
    assert len(promised) > 8
    lists = ("status", "records", "devices", "log", "quarantine", "admin user list", "admin grid list", "admin acts")
    for command in lists:
        assert reader.keys_of(f"gridlog-server {command}") == promised[command], command
    assert reader.keys_of("gridlog-server admin enroll W001") == promised["admin enroll W001"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd's own checker is not here")
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    (unit,) = fenced("ini")
    # The only thing that this machine does not have is what is to be installed.
    program, checker = shutil.which("true"), shutil.which("systemd-analyze")
    assert program is not None
    assert checker is not None
    assert "ExecStart=/opt/gridlog/bin/gridlog-server run" in unit
    file = tmp_path / "gridlog.service"
    file.write_text(unit.replace("/opt/gridlog/bin/gridlog-server", program), encoding="utf-8")
    checked = subprocess.run(
        [checker, "verify", "--man=no", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
