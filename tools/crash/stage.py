"""The process in which scenarios are played, the shim preloaded: one fork for each playing.

It reads one `Playing` a line from its input and answers with a line when that is over: 0, or the signal that ended
it. What happened is in the log. Run by `director`, never by hand.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
import traceback
from pathlib import Path

from gridlog.errors import DiskFailedError, DiskFullError
from gridlog_protocol.kinds import shipped_kinds
from tools.crash.account import Account
from tools.crash.controls import CONTROLS
from tools.crash.director import NO_CONTROL, Playing, files_at
from tools.crash.recording import ACKNOWLEDGED, ENDED, note, note_before
from tools.crash.scenarios import SCENARIOS
from tools.crash.scene import Act, Scene

_ENTROPY_SEED = 420106
_SECONDS_MAX = 60


def main() -> None:
    """Play what is asked for until the input ends."""
    shipped_kinds()
    # A store that cannot write a snapshot says so: here it is what was asked for.
    logging.getLogger("gridlog.store").setLevel(logging.ERROR)
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            # A scenario that hangs is a finding, not a reason to wait.
            signal.alarm(_SECONDS_MAX)
            try:
                _play(Playing(**json.loads(line)), shim)
            except BaseException:  # noqa: BLE001 - a fork must never come back into the loop.
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)


def _play(playing: Playing, shim: ctypes.CDLL) -> None:
    scenario = SCENARIOS[playing.scenario]
    root = Path(playing.root)
    log = os.open(playing.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    is_recorded = False

    def tell(account: Account) -> None:
        if is_recorded:
            os.write(log, note(ACKNOWLEDGED, account.said()))

    shim.crash_seed(ctypes.c_uint64(_ENTROPY_SEED))
    scene = Scene(root, tell)
    asyncio.run(_acted(scenario.before, scene))
    for path, content in files_at(root).items():
        os.write(log, note_before(path, content))
    is_recorded = True
    scene.repeat()
    shim.crash_arm(os.fsencode(root), log, ctypes.c_long(playing.fault_at), playing.fault)
    error, is_told = "", True
    try:
        with CONTROLS[playing.control].weakened():
            asyncio.run(_acted(scenario.play, scene))
    except (DiskFullError, DiskFailedError) as told:
        error = type(told).__name__
    except Exception as strange:  # noqa: BLE001 - what it is will be read by whoever judges.
        error, is_told = f"{type(strange).__name__}: {strange}", False
        if playing.control == NO_CONTROL:
            traceback.print_exc()
    os.write(log, note(ENDED, {"error": error, "is_told": is_told}))


async def _acted(act: Act, scene: Scene) -> None:
    await act(scene)
