"""Start commands quickly: each is forked from a process that has loaded the libraries, and none of the command yet.

Half a second of each command is Python reading its libraries, and the tests start hundreds. What a command itself
does when it is loaded, it does in its own process, with its own environment; the installed scripts are run by other
tests. The rule of `processes` holds here, too: a test process never loads the product.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PROGRAM = """
import asyncio, importlib, json, os, signal, sys
import pydantic, rich.console, rich.table, typer, typer._adapters
command, package, preloaded = sys.argv[1:4]
for name in preloaded.split():
    importlib.import_module(name)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(asked["environment"])
        for descriptor, path in enumerate(asked["files"]):
            flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY
            os.dup2(os.open(path, flags), descriptor)
        sys.stdin, sys.stdout, sys.stderr = (
            open(descriptor, mode, encoding="utf-8", closefd=False) for descriptor, mode in enumerate("rww")
        )
        os.chdir(asked["directory"])
        sys.argv = [command, *asked["arguments"]]
        code = 1
        try:
            importlib.import_module(package + ".cli").main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    sys.stdout.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\\n")
    sys.stdout.flush()
"""
_PRELOADED = {
    "gridlog": ("gridlog", "gridlog gridlog_protocol.kinds.presenting"),
    "gridlog-server": (
        "gridlog_server",
        "gridlog_server.app gridlog_server.listing_people gridlog_server.listing_log aiohttp segno",
    ),
}


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def run_forked(
    command: str, arguments: Sequence[str], environment: Mapping[str, str], typed: str | None, *, seconds_max: int
) -> Ended:
    """Run a command to its end. `typed` is its standard input. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="gridlog-command-") as scratch:
        paths = [Path(scratch, name) for name in ("in", "out", "err")]
        for path in paths:
            path.write_text(typed or "", encoding="utf-8") if path.name == "in" else path.touch()
        asked = {
            "environment": dict(environment),
            "arguments": [*arguments],
            "files": [str(path) for path in paths],
            "directory": str(Path.cwd()),
        }
        code = _asked(_nursery(command), json.dumps(asked), [command, *arguments], seconds_max)
        _, out, err = (path.read_text(encoding="utf-8") for path in paths)
        return Ended(code, out, err)


def _asked(nursery: subprocess.Popen[str], line: str, said: list[str], seconds_max: int) -> int:
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(line + "\n")
    nursery.stdin.flush()
    if not select.select([nursery.stdout], [], [], seconds_max)[0]:
        nursery.kill()
        _nursery.cache_clear()
        raise subprocess.TimeoutExpired(said, seconds_max)
    return int(json.loads(nursery.stdout.readline()))


@cache
def _nursery(command: str) -> subprocess.Popen[str]:
    package, preloaded = _PRELOADED[command]
    started = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, command, package, preloaded],
        env={name: value for name, value in os.environ.items() if not name.startswith("GRIDLOG")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(_end, started)
    return started


def _end(nursery: subprocess.Popen[str]) -> None:
    nursery.kill()
    nursery.communicate()
