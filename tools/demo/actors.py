"""The processes of the demo, as the one who directs them sees them: a server, and handhelds that can be killed."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from gridlog_protocol.canonical import Value
from gridlog_protocol.invitation import Invitation, read_invitation
from tools.demo.clocks import RIGHT, ClockStory
from tools.demo.handheld import items, line, number, raw_bytes, read_line, words
from tools.demo.world import Worker
from tools.proxy import Faults, Link

LINE_BYTES_MAX = 64 << 20


class DemoError(Exception):
    """Something that the demo needs did not happen; the message says what."""


@dataclass(slots=True)
class Traffic:
    """What a handheld's exchanges cost. Bytes are those of message bodies."""

    sent: int = 0
    received: int = 0
    round_trips: int = 0
    failures: int = 0
    up: int = 0
    down: int = 0


class ServerProcess:
    """`gridlog-server` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self._process: asyncio.subprocess.Process | None = None

    async def command(self, *words: str) -> str:
        """Run one `gridlog-server` command and return what it printed. Raises DemoError."""
        process = await asyncio.create_subprocess_exec(
            *_python("gridlog_server"),
            *words,
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode:
            raise DemoError(f"gridlog-server {' '.join(words)}: {err.decode().strip()}")
        return out.decode()

    async def start(self) -> None:
        """Run the server, and wait until it answers."""
        log = (self.directory.parent / "server.log").open("ab")
        self._process = await asyncio.create_subprocess_exec(
            *_python("gridlog_server"), "run", env=self._environment(), stdout=asyncio.subprocess.PIPE, stderr=log
        )
        log.close()
        assert self._process.stdout is not None
        first = (await self._process.stdout.readline()).decode()
        if "http://" not in first:
            raise DemoError(f"the server did not start; see {self.directory.parent / 'server.log'}")
        self.port = int(first.strip().rsplit(":", 1)[1])

    async def stop(self) -> None:
        """Ask the server to stop, and wait for it."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def invite(self, worker: Worker) -> Invitation:
        """Hand out an enrolment code, through the door that `admin enroll` uses: a process each would take longer."""
        facts = {"staff_no": worker.staff_no, "name": worker.name, "grids": [*worker.grids]}
        door = aiohttp.UnixConnector(str(self.directory / "admin.sock"))
        async with (
            aiohttp.ClientSession(connector=door) as session,
            session.post("http://localhost/enroll", json=facts) as answer,
        ):
            told = await answer.json()
        if "code" not in told:
            raise DemoError(f"no code for {worker.staff_no}: {told['en']}")
        return read_invitation(told["code"])

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "GRIDLOG_SERVER_DATA": str(self.directory), "GRIDLOG_LANG": "en"}


@dataclass(slots=True)
class HandheldProcess:
    """One handheld: its worker, its line to the server, what it was told is saved."""

    worker: Worker
    directory: Path
    link: Link
    traffic: Traffic = field(default_factory=Traffic)
    clock: ClockStory = RIGHT
    passphrase: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    """No two demos have the same: what stays running is on a machine that others may use."""
    saved: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    acted: dict[tuple[bytes, bytes, int], int] = field(default_factory=dict)
    """When each saved op was commanded, in Unix ms: the director's own clock, put back while the phone is."""
    away: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    """What was saved while the phone was back in the past."""
    warning: str = ""
    kills: int = 0
    _back_ms: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, and wait until its store is open."""
        self._process = await asyncio.create_subprocess_exec(
            *_python("tools.demo.handheld"),
            str(self.directory),
            self.passphrase,
            str(self.clock.ahead_ms),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
        )
        await self._event("ready")

    async def ask(self, command: Mapping[str, Value]) -> dict[str, Value]:
        """Give one command and wait for its event. Raises DemoError if the process is gone."""
        self.tell(command)
        return await self._event()

    def tell(self, command: Mapping[str, Value]) -> None:
        """Give a command without waiting."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line(command))

    async def save(self, command: Mapping[str, Value]) -> bytes:
        """Write or change a record; return its id once the handheld says that it is saved."""
        event = await self.ask(command)
        self.note_saved(items(event["op"]))
        return raw_bytes(event["record"])

    def note_saved(self, op: Sequence[Value]) -> None:
        """Take down that the handheld called an op saved just now."""
        name = (raw_bytes(op[0]), raw_bytes(op[1]), number(op[2]))
        self.saved.append(name)
        self.acted[name] = time.time_ns() // 1_000_000 - self._back_ms
        if self._back_ms:
            self.away.append(name)

    async def go_back(self, back_ms: int) -> None:
        """Put the whole phone so far into the past; 0 brings it to the present."""
        await self.ask({"do": "go back", "ms": back_ms})
        self._back_ms = back_ms

    async def sync(self, *, tries: int = 20) -> bool:
        """Exchange until it works; return whether the digests were equal at the end. Raises DemoError."""
        for _ in range(tries):
            event = await self.ask({"do": "sync"})
            if event["event"] == "synced":
                for name in ("sent", "received", "round_trips", "up", "down"):
                    setattr(self.traffic, name, getattr(self.traffic, name) + number(event[name]))
                self.warning = words(event["warning"]) if event["warning"] else self.warning
                return event["is_equal"] is True
            if event["why"] != "UnreachableError":
                raise DemoError(f"{self.worker.staff_no}: {words(event['text'])}")
            self.traffic.failures += 1
            await asyncio.sleep(0.05)
        raise DemoError(f"{self.worker.staff_no}: no exchange got through in {tries} tries")

    async def kill(self) -> None:
        """End the process with SIGKILL: nothing gets a chance to be tidied up."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        self.kills += 1

    async def stop(self) -> None:
        """Close the store and end the process."""
        if self._process is not None and self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()

    async def _event(self, wanted: str | None = None) -> dict[str, Value]:
        assert self._process is not None
        assert self._process.stdout is not None
        raw = await self._process.stdout.readline()
        if not raw:
            raise DemoError(f"{self.worker.staff_no}: the handheld process ended")
        event = read_line(raw)
        assert wanted is None or event["event"] == wanted
        return event


GOOD_LINE = Faults()
NO_SIGNAL = Faults(cut_up_bytes=0, cut_down_bytes=0)


def bad_line(cuts_max: int) -> Faults:
    """Return a line that is cut at random bytes a few times, and slow and choppy all the time."""
    return Faults(cut_within_bytes=2500, cuts_max=cuts_max, delay_ms=5, piece_bytes_max=700)


def _python(module: str) -> tuple[str, ...]:
    return sys.executable, "-m", module
