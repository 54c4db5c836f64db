"""Have scenarios played in a process of their own, with the shim below it, and read what happened.

The shim is C: it is compiled once into the scratch directory of a run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tools.crash.choices import Image, everything, image
from tools.crash.power import Power
from tools.crash.recording import Recording, RecordingError, read_log

NO_CONTROL = "none"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it, with a name drawn by chance.
_MEMORY_BYTES_MIN = 64 << 20
_SHIM = Path(__file__).with_name("record.c")


class DirectorError(Exception):
    """Nothing can be recorded here; the text says what is missing or went wrong."""


class Fault(IntEnum):
    """What happens to one operation. `crash_arm` knows these numbers."""

    NONE = 0
    EIO = 1
    """It fails with EIO, once."""
    FULL = 2
    """The disk is full from here on: a write puts half of its bytes, then everything that needs room fails."""
    KILL = 3
    """The process is killed before it."""


@dataclass(frozen=True, slots=True)
class Playing:
    """One playing of a scenario: where, with which planted weakness, and which operation meets which fault."""

    scenario: str
    root: str
    log: str
    control: str = NO_CONTROL
    fault: Fault = Fault.NONE
    fault_at: int = 0


class Played(NamedTuple):
    """What was recorded. `is_killed` tells whether the process was killed; what it left is in `root`."""

    recording: Recording
    is_killed: bool
    root: Path


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a directory that is gone afterwards: in memory if there is room, because many files are written there."""
    has_room = (
        _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES_MIN
    )
    with tempfile.TemporaryDirectory(prefix="gridlog-crash-", dir=_MEMORY if has_room else None) as made:
        yield Path(made)


def compile_shim(directory: Path) -> Path:
    """Compile the shim into a directory. Raises DirectorError."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise DirectorError("Missing: a C compiler. On Debian: apt install gcc libc6-dev")
    shim = directory / "record.so"
    done = subprocess.run(
        [compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(shim), str(_SHIM), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DirectorError(f"record.c does not compile. On Debian: apt install gcc libc6-dev\n{done.stderr}")
    return shim


class Director:
    """The other end of `stage`: one process, in which one scenario after the other is played. Use it in a `with`."""

    def __init__(self, shim: Path, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)
        environment = {**os.environ, "LD_PRELOAD": str(shim), "PYTHONHASHSEED": "0"}
        self._stage = subprocess.Popen(
            [sys.executable, "-c", "from tools.crash.stage import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=environment,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stage.communicate()

    def play(self, scenario: str, control: str = NO_CONTROL, fault: Fault = Fault.NONE, fault_at: int = 0) -> Played:
        """Play a scenario, and return what happened.

        Raises DirectorError if the stage breaks down, and RecordingError if the log does not explain the files.
        """
        root, log = self._directory / "root", self._directory / "log"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        log.unlink(missing_ok=True)
        playing = Playing(scenario, str(root), str(log), control, fault, fault_at)
        assert self._stage.stdin is not None
        assert self._stage.stdout is not None
        print(json.dumps(asdict(playing)), file=self._stage.stdin, flush=True)
        answer = self._stage.stdout.readline()
        if not answer or int(answer) not in {0, -9}:
            raise DirectorError(f"{scenario} could not be played: {answer.strip() or 'the stage is gone'}")
        recording = read_log(log.read_bytes())
        _check_explained(recording, files_at(root))
        return Played(recording, bool(int(answer)), root)


def files_at(root: Path) -> dict[str, bytes | None]:
    """Return every path below a directory: a file's content, None for a directory."""
    paths = sorted(root.rglob("*"))
    return {str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in paths}


def _check_explained(recording: Recording, found: Image) -> None:
    power = Power(recording.before)
    for event in recording.events:
        power.follow(event)
    cut = power.cut()
    expected = image(cut, everything(cut))
    differing = [path for path in {**expected, **found} if expected.get(path, b"") != found.get(path, b"")]
    if expected.keys() != found.keys() or differing:
        raise RecordingError(
            f"the log does not explain {', '.join(differing) or 'the names'}: a call was not watched"
        )
