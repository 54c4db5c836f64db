"""A throw-away server for the tests of an app: a real one, on this machine, made for a test and gone after it.

The rule it keeps: nothing is left behind. To end the server awaits nothing, so no cancellation can come in between.
It is started as a process and spoken to by its own commands: a test meets what a handheld and an operator meet.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from itertools import count, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gridlog_protocol.ids import record_id, shown
from gridlog_protocol.texts import Text

from .device_clock import DeviceClock
from .errors import GridlogError
from .store import FieldStore
from .vault import KdfProfile

GRID = "420106001001001"
"""The grid that people work in unless a test says otherwise."""
PASSPHRASE = "only for this test"  # noqa: S105 - protects nothing
"""What opens the stores of `enrolled_store`."""
START_SECONDS_MAX = 30.0
COMMAND_SECONDS_MAX = 60.0

_PACKAGE = "gridlog_server"
# Without -P a file of the test's own folder, `json.py` say, would be taken for a module that the server needs.
_COMMAND = (sys.executable, "-P", "-m", _PACKAGE)
_LOOK_SECONDS = 0.02
_EVERYTHING = ("--limit", "100000", "--json")


class ServerMissingError(GridlogError):
    """The server's package is not in this environment. The distribution `gridlog` has it: install that, whole."""

    def __init__(self) -> None:
        text = Text(
            "缺少 {package}，无法启动测试服务器。请完整安装：pip install gridlog",
            "No server for tests without {package}. Install the whole distribution: pip install gridlog",
        )
        super().__init__(text.filled(package=_PACKAGE))


class ServerFailedError(GridlogError):
    """The server did not start, or one of its commands said no. `said` is what it printed about it."""

    def __init__(self, doing: str, said: str) -> None:
        text = Text("测试服务器未能完成 {doing}：{said}", "The throw-away server failed to {doing}: {said}")
        super().__init__(text.filled(doing=doing, said=said))
        self.doing = doing
        self.said = said


class ThrowAwayServer:
    """A running server of its own. Made by `throw_away_server`; `address` stays the same when it starts again.

    Each question is a command, takes most of a second, and raises ServerFailedError if the answer is no. All but
    `enrolled_store` works while the server is stopped too. It belongs to no event loop: a fixture of any scope may
    hold it.
    """

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.address = f"http://127.0.0.1:{port}"
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What the server has printed and logged since it first started."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    async def start(self) -> None:
        """Start it, at the same address as before, and return when it listens. Harmless if it runs."""
        if self.is_running:
            return
        printed_before = len(self.log)
        process = self._process = self._launched()
        until = time.monotonic() + START_SECONDS_MAX
        # The words before the address are in the developer's language.
        while f" {self.address}\n" not in (printed := self.log[printed_before:]):
            if process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise ServerFailedError("run", printed.strip())
            await asyncio.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """Take it away at once, as a power cut does: what was acknowledged is kept. Harmless if it does not run.

        Handhelds meet UnreachableError until the next `start`. Needs no `await`.
        """
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    async def enrolment_code(self, name: str, *, grids: Sequence[str] = (GRID,), staff_no: str = "") -> str:
        """Return a code, `GL1-...`, for a new device of a new person, or of whoever has the staff number."""
        staff_no = staff_no or f"W{next(self._numbers):03}"
        chosen = [part for grid in grids for part in ("--grid", grid)]
        answer = await self._json("admin", "enroll", staff_no, "--name", name, *chosen, "--json")
        return str(answer["code"])

    async def enrolled_store(
        self, directory: Path | str, name: str, *, grids: Sequence[str] = (GRID,), staff_no: str = ""
    ) -> FieldStore:
        """Return the open store of a new device, enrolled for `name`. Closing it is for the caller.

        Its key derivation is weak, so that it opens in a millisecond; PASSPHRASE opens it again. Raises as
        `FieldStore.make` and `enrol`.
        """
        code = await self.enrolment_code(name, grids=grids, staff_no=staff_no)
        store = await FieldStore.make(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS)
        try:
            await store.enrol(code)
        except BaseException:
            await store.close()
            raise
        return store

    async def import_records(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Bring in grids and households, as an administrator does. Nothing is written if one value is wrong.

        Each row has `kind` and `values`, and an `id` (a UUIDv7 as text) unless any will do. In values `bytes` may
        stand for the 32 hex digits of an id.
        """
        now_ms = DeviceClock().wall_ms()
        given = [{"id": shown(record_id(now_ms, os.urandom(10))), **row} for row in rows]
        file = self.directory / f"import-{next(self._numbers)}.json"
        file.write_text(json.dumps(given, default=bytes.hex), encoding="utf-8")
        await self.command("admin", "import", str(file))

    async def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return what arrived or was imported, changed last first; only one kind, if it is named.

        Each has `id`, `kind`, `grids`, `author` (a name), `conflicts` (how many), `clock` and `values`. Ids are text:
        of records with dashes, in values 32 hex digits.
        """
        chosen = () if kind is None else ("--kind", kind)
        return list(await self._json("records", *chosen, *_EVERYTHING))

    async def conflicts(self) -> list[dict[str, Any]]:
        """Return what contradicts what: `record`, `kind`, `field`, `severity`, `shown`, and `values` with authors."""
        return list(await self._json("conflicts", *_EVERYTHING))

    async def held(self) -> list[dict[str, Any]]:
        """Return held ops and proposals: `op` names one, `record`, `kind`, `author`, `code`, `field`, `values`."""
        return list(await self._json("held", *_EVERYTHING))

    async def release(self, op: str, *, by: str = "督导", reason: str = "") -> None:
        """Let a held op take effect, or accept a proposal. `op` is as `held` names it."""
        await self.command("release", op, "--by", by, "--reason", reason)

    async def reject(self, op: str, reason: str, *, by: str = "督导") -> None:
        """Turn a held op or a proposal down. Its author reads `reason`, 5 to 200 characters, after the next sync."""
        await self.command("reject", op, "--by", by, "--reason", reason)

    async def command(self, *arguments: str) -> str:
        """Run any command of `gridlog-server` on this server, and return what it printed."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, *arguments, env=self._environment(), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS_MAX)
        except TimeoutError:
            raise ServerFailedError(_spoken(arguments), f"no answer in {COMMAND_SECONDS_MAX:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise ServerFailedError(_spoken(arguments), err.decode(errors="replace").strip())
        return out.decode()

    async def _json(self, *arguments: str) -> Any:
        return json.loads(await self.command(*arguments))

    def _launched(self) -> subprocess.Popen[bytes]:
        # Into a file, not a pipe: nobody has to read on for the server to go on.
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*_COMMAND, "run"], env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _environment(self) -> dict[str, str]:
        # The developer's own settings must reach neither server nor JSON; his language may. A sentence is one line.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLOG_SERVER")}
        plain = {"PYTHONUTF8": "1", "TERM": "dumb", "COLUMNS": "1000"}
        return kept | plain | {"GRIDLOG_SERVER_DATA": str(self.directory / "data")}


@asynccontextmanager
async def throw_away_server(*, tenant: str = "420106", tenant_name: str = "武昌区") -> AsyncIterator[ThrowAwayServer]:
    """Make a server in a temporary directory, on a free port of 127.0.0.1; take both away at the end, whatever comes.

    Only a signal that kills the test's own process outright leaves it running. Takes two seconds. Raises
    ServerMissingError, ServerFailedError.
    """
    if find_spec(_PACKAGE) is None:
        raise ServerMissingError
    with TemporaryDirectory(prefix="gridlog-") as directory, _port_of_its_own() as port:
        server = ThrowAwayServer(Path(directory), port)
        try:
            await server.command("init", "--tenant", tenant, "--name", tenant_name, "--port", str(port))
            await server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def _port_of_its_own() -> Iterator[int]:
    # Bound, and never listening: the server may listen there, nobody else is given the port while it is stopped, and
    # whoever connects then is refused.
    with socket.socket() as keeping:
        keeping.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeping.bind(("127.0.0.1", 0))
        port: int = keeping.getsockname()[1]
        yield port


def _spoken(arguments: Sequence[str]) -> str:
    return " ".join(takewhile(lambda part: not part.startswith("-"), arguments))
