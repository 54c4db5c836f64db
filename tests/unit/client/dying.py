"""Kill a process at each of its operations on the disk, one after the other, and look at what is left.

A cut run is a process of its own that dies by SIGKILL just before its n-th operation: nothing of it runs any more, no
`finally`, no buffer. Each begins with a copy of the same store.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_DRIVER = """
import io, os, shutil, signal, sys
from pathlib import Path

from gridlog import credentials, disk
from gridlog.credentials import Badge, Pin
from gridlog.errors import GridlogError
from gridlog.kdf import KdfProfile
from gridlog.vault import Vault, wipe

store, copies, action = Path(sys.argv[1]), Path(sys.argv[2]), compile(sys.argv[3], "action", "exec")
operations = 0


def dying_before(real, last):
    def counted(*arguments, **named):
        global operations
        operations += 1
        if operations == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return counted


def run(directory, last):
    for name in ("fsync", "replace", "unlink", "mkdir"):
        setattr(os, name, dying_before(getattr(os, name), last))
    disk._write_all = dying_before(disk._write_all, last)
    exec(action, {**globals(), "directory": directory})
    os._exit(0)


for last in range(1, 200):
    directory = copies / str(last)
    shutil.copytree(store, directory)
    child = os.fork()
    if child == 0:
        try:
            run(directory, last)
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr, flush=True)
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
"""


def cut_everywhere(store: Path, action: str, copies: Path) -> list[Path]:
    """Run `action` on copies of the store's directory (its name in there: `directory`), and return what is left.

    One copy for each operation that it was killed before, in order, and one that was not killed.
    """
    copies.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, str(store), str(copies), action], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return sorted(copies.iterdir(), key=lambda path: int(path.name))
