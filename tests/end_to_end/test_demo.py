"""The demo plays a day to its end, the commands that it prints work, and its pages stay until they are ended."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession, CookieJar

from tests.end_to_end.processes import clean_environment, run_command
from tools.demo.report import LOOKING
from tools.demo.staying import OFFICE

ROOT = Path(__file__).parents[2]


def run_tool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=clean_environment({}),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


@pytest.mark.long
async def test_a_day_is_played_and_can_be_looked_at_with_what_the_demo_prints(tmp_path: Path) -> None:
    data = tmp_path / "a street"
    try:
        played = run_tool("tools.demo", "--devices", "2", "--seed", "5", "--data", str(data))
        assert played.returncode == 0, played.stdout + played.stderr
        assert "FAILS" not in played.stdout

        commands = [shlex.split(line) for line in played.stdout.splitlines() if "gridlog-server" in line]
        assert len(commands) == len(LOOKING)
        for program, *arguments in commands:
            assert os.access(ROOT / program, os.X_OK)
            done = run_command("gridlog-server", *arguments)
            assert (done.code, done.err) == (0, "")
            assert done.out.count("\n") >= 4, done.out

        pages = re.findall(r"http://127\.0\.0\.1:\d+/\S*", played.stdout)
        assert len(pages) == len(OFFICE) + 1, played.stdout
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            for page in pages:
                async with session.get(page) as answer:
                    assert (answer.status, answer.content_type) == (200, "text/html")
    finally:
        ended = run_tool("tools.demo.staying", str(data))

    assert ended.stdout == "2 processes ended.\n"
    async with ClientSession() as session:
        for page in pages:
            with pytest.raises(ClientConnectionError):
                await session.get(page)
    assert run_tool("tools.demo.staying", str(data)).stdout == "Nothing of a demo is running.\n"


@pytest.mark.long
def test_nothing_stays_if_nothing_is_to_stay(tmp_path: Path) -> None:
    played = run_tool("tools.demo", "--devices", "2", "--seed", "6", "--data", str(tmp_path / "street"), "--no-stay")

    assert played.returncode == 0, played.stdout + played.stderr
    assert "http://" not in played.stdout
    assert run_tool("tools.demo.staying", str(tmp_path / "street")).stdout == "Nothing of a demo is running.\n"
