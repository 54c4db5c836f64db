"""Real processes for end-to-end tests: a server that can be stopped, killed and started again, and commands.

The rule it keeps: nothing here imports the product. A test sees what an operator or a worker sees.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.end_to_end.nursery import run_forked

START_SECONDS_MAX = 30
COMMAND_SECONDS_MAX = 60
PASSPHRASE = "correct horse battery"
GRID = "420106001001001"

_COMMANDS = Path(sys.executable).parent
_LISTENING = re.compile(r"Listening on (\S+)")
# Below the range from which Linux takes ports for outgoing connections: a stopped server finds its port free again.
_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What a command with `--json` printed."""
        return json.loads(self.out)


def run_command(
    name: str, *arguments: str, environment: Mapping[str, str] | None = None, typed: str | None = None
) -> Finished:
    """Run one of the product's commands to its end. `typed` goes to its standard input."""
    env = clean_environment(environment or {})
    return Finished(*run_forked(name, arguments, env, typed, seconds_max=COMMAND_SECONDS_MAX))


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without the developer's own settings: English, wide, colourless."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLOG")}
    return kept | {"GRIDLOG_LANG": "en", "COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"} | dict(extra)


def hear_ctrl_c() -> None:
    """Let a process that is being started end at SIGINT, though tests that run in the background ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


class ServerProcess:
    """A `gridlog-server` on a data directory of its own. It keeps its address when it is started again."""

    def __init__(self, data_dir: Path, port: int | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self._extra = dict(environment or {})
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None
        self._log: list[str] = []
        if not data_dir.exists():
            made = self.command("init", "--tenant", "420106", "--name", "武昌区", "--port", str(self.port))
            assert made.code == 0, made

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What the server has written to its standard output and error since it first started."""
        return "".join(self._log)

    @property
    def pid(self) -> int:
        """The process's number. Only while it runs."""
        assert self._process is not None
        return self._process.pid

    def hang_up(self) -> None:
        """Ask it to read its certificate again."""
        os.kill(self.pid, signal.SIGHUP)

    def start(self) -> None:
        """Start it, and return when it listens."""
        assert not self.is_running, "it is running already"
        started = subprocess.Popen(
            [str(_COMMANDS / "gridlog-server"), "run"],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._process = started
        is_listening = threading.Event()
        threading.Thread(target=self._read, args=(started, is_listening), daemon=True).start()
        assert is_listening.wait(START_SECONDS_MAX), f"the server does not listen: {self.log}"
        assert started.poll() is None, f"the server ended at once: {self.log}"

    def stop(self) -> int:
        """Ask it to end, as an operator does, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does. Nothing happens if it does not run."""
        self._end(signal.SIGKILL)

    def admin_enroll(self, staff_no: str, name: str, *grids: str) -> str:
        """Return a one-time enrolment code for somebody's device."""
        chosen = [part for grid in grids or (GRID,) for part in ("--grid", grid)]
        code = self.command_json("admin", "enroll", staff_no, "--name", name, *chosen)["code"]
        assert isinstance(code, str)
        return code

    def command(self, *arguments: str) -> Finished:
        """Run `gridlog-server ...` on the data directory, whether the server runs or not."""
        return run_command("gridlog-server", *arguments, environment={"GRIDLOG_SERVER_DATA": str(self.data_dir)})

    def command_json(self, *arguments: str) -> Any:
        """Run `gridlog-server ... --json`, and return what it says."""
        done = self.command(*arguments, "--json")
        assert done.code == 0, done
        return done.json

    def _environment(self) -> dict[str, str]:
        named = {"GRIDLOG_SERVER_DATA": str(self.data_dir), "PYTHONUNBUFFERED": "1"}
        return clean_environment(named | self._extra)

    def _read(self, started: subprocess.Popen[str], is_listening: threading.Event) -> None:
        # Somebody must read to the end: a full pipe would stop the server.
        assert started.stdout is not None
        with started.stdout as lines:
            for line in lines:
                self._log.append(line)
                if _LISTENING.search(line):
                    is_listening.set()
        is_listening.set()

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(START_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class DeviceCommands:
    """One worker's `gridlog` commands: a store of its own, its passphrase in the environment."""

    store: Path
    passphrase: str = PASSPHRASE
    extra: Sequence[tuple[str, str]] = ()

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `gridlog ...` on the store, and leave it running."""
        return subprocess.Popen(
            [str(_COMMANDS / "gridlog"), *arguments],
            env=clean_environment(self._environment() | {"PYTHONUNBUFFERED": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - it does nothing that a thread could hold.
        )

    def run(self, *arguments: str, **environment: str) -> Finished:
        """Run `gridlog ...` on the store."""
        return run_command("gridlog", *arguments, environment=self._environment() | environment)

    def _environment(self) -> dict[str, str]:
        named = {"GRIDLOG_STORE": str(self.store), "GRIDLOG_PASSPHRASE": self.passphrase}
        # A real key derivation takes a quarter of a second and 64 MiB: right for a phone, not for a hundred tests.
        return named | {"GRIDLOG_WEAK_KDF_FOR_TESTS": "1"} | dict(self.extra)
