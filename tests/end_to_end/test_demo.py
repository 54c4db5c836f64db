"""The demo plays a day to its end, and the commands that it prints work."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.processes import clean_environment, run_command
from tools.demo.report import LOOKING

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_a_day_is_played_and_can_be_looked_at_with_the_commands_that_the_demo_prints(tmp_path: Path) -> None:
    played = subprocess.run(
        [sys.executable, "-m", "tools.demo", "--devices", "2", "--seed", "5", "--data", str(tmp_path / "a street")],
        cwd=ROOT,
        env=clean_environment({}),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "FAILS" not in played.stdout

    commands = [shlex.split(line) for line in played.stdout.splitlines() if "gridlog-server" in line]
    assert len(commands) == len(LOOKING)
    for program, *arguments in commands:
        assert os.access(ROOT / program, os.X_OK)
        done = run_command("gridlog-server", *arguments)
        assert (done.code, done.err) == (0, "")
        assert done.out.count("\n") >= 4, done.out
