"""Leave server, console and one handheld app running on the day's data, and end them again.

`running.json` beside the data says which processes those are, and how to sign in. Only a process whose command line
or environment still names the data is ended: its number may be somebody else's by now.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.demo.actors import DemoError, HandheldProcess, ServerProcess
from tools.demo.clocks import RIGHT

DATA = Path(tempfile.gettempdir()) / "gridlog-demo"
RUNNING = "running.json"
OFFICE = (("D001", "陈督导", "supervisor"), ("G001", "林管理", "administrator"))
"""Staff number, name and role of whoever signs in to the console."""
_PATIENCE_S = 20.0
_ZONE = "Asia/Shanghai"
_LOCK_AFTER_S = 1800


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who may sign in where, with what."""

    address: str
    who: str
    name: str
    role: str
    secret: str


async def give_sign_ins(server: ServerProcess) -> list[tuple[str, str, str, str]]:
    """Make a supervisor and an administrator; return staff number, name, role and a random password of each."""
    made = []
    for staff_no, name, role in OFFICE:
        await server.command("admin", "user", "add", staff_no, "--name", name)
        await server.command("admin", "user", "grant", staff_no, "--role", role)
        told = json.loads(await server.command("admin", "user", "password", staff_no, "--generate", "--json"))
        made.append((staff_no, name, role, str(told["password"])))
    return made


async def stay(
    data: Path, handhelds: Sequence[HandheldProcess], office: Sequence[tuple[str, str, str, str]]
) -> list[SignIn]:
    """Start what stays; return where to sign in. Raises DemoError.

    The server takes the place of the line that one handheld knows it by, so that this one reaches it.
    """
    chosen = next(each for each in handhelds if each.clock is RIGHT)
    environment = {
        **os.environ,
        "GRIDLOG_SERVER_DATA": str(data / "server"),
        "GRIDLOG_SERVER_PORT": str(chosen.link.port),
        "GRIDLOG_SERVER_TIME_ZONE": _ZONE,
    }
    serving = _start(data, "server", [sys.executable, "-m", "gridlog_server", "run"], environment)
    _note(data, [serving])
    address = await _address(data, "server", serving)
    store = str(chosen.directory)
    app = _start(
        data,
        "handheld",
        [
            str(Path(sys.executable).with_name("gridlog")),
            "handheld",
            "--store",
            store,
            "--port",
            "0",
            "--lock-after",
            str(_LOCK_AFTER_S),
        ],
        {**os.environ, "TZ": _ZONE},
    )
    _note(data, [serving, app])
    page = await _address(data, "handheld", app)
    sign_ins = [SignIn(f"{address}/console/", *each) for each in office]
    sign_ins.append(SignIn(page, chosen.worker.staff_no, chosen.worker.name, "worker", chosen.passphrase))
    _note(data, [serving, app], sign_ins)
    return sign_ins


def sign_ins_of(data: Path) -> list[SignIn]:
    """Return how to get into what an earlier demo left running on this data. Raises DemoError if nothing is."""
    file = data / RUNNING
    if not file.exists():
        raise DemoError(f"nothing of a demo is running on {data}")
    return [SignIn(**each) for each in json.loads(file.read_text(encoding="utf-8"))["sign_ins"]]


def end(data: Path) -> int:
    """End what an earlier demo left running on this data; return how many processes that were."""
    file = data / RUNNING
    if not file.exists():
        return 0
    ended = 0
    for pid in json.loads(file.read_text(encoding="utf-8"))["processes"]:
        if not _is_ours(pid, data):
            continue
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _PATIENCE_S
        while _is_ours(pid, data) and time.monotonic() < until:
            time.sleep(0.1)
        ended += 1
    file.unlink()
    return ended


def _note(data: Path, processes: Sequence[subprocess.Popen[bytes]], sign_ins: Sequence[SignIn] = ()) -> None:
    told = {"processes": [each.pid for each in processes], "sign_ins": [asdict(each) for each in sign_ins]}
    (data / RUNNING).write_text(json.dumps(told), encoding="utf-8")


def _start(
    data: Path, name: str, words: Sequence[str], environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    with (data / f"{name}.out").open("wb") as out, (data / f"{name}.log").open("ab") as log:
        # A session of its own: it stays when the terminal goes.
        return subprocess.Popen(
            words,
            env={**(environment or os.environ), "GRIDLOG_LANG": "en", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            start_new_session=True,
        )


async def _address(data: Path, name: str, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        for word in (data / f"{name}.out").read_text(encoding="utf-8").split():
            if word.startswith("http://"):
                return word
        await asyncio.sleep(0.1)
    raise DemoError(f"the {name} did not stay; see {data / f'{name}.log'}")


def _is_ours(pid: int, data: Path) -> bool:
    try:
        told = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and str(data).encode() in told


if __name__ == "__main__":
    count = end(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
    print(f"{count} processes ended." if count else "Nothing of a demo is running.")
