"""The SDK guide tells the truth: its examples run as one program against a real server, and print what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import gridlog
from tests.end_to_end.processes import GRID, ServerProcess

ROOT = Path(__file__).parent.parent
GUIDE = "client_sdk/README.md"
SAID = re.compile(r"# → (.*)$", flags=re.MULTILINE)


def fenced(language: str) -> list[str]:
    text = (ROOT / GUIDE).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLOG")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONUTF8": "1", **more}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "server") as process:
        yield process


def test_the_examples_of_the_guide_are_one_program_that_prints_what_they_say(
    server: ServerProcess, tmp_path: Path
) -> None:
    examples = "\n".join(fenced("python"))
    # A reader pastes them into `python -m asyncio`, where `await` needs no function around it.
    program = f"import asyncio\n\nasync def main():\n{textwrap.indent(examples, '    ')}\nasyncio.run(main())\n"
    (tmp_path / "guide.py").write_text(program, encoding="utf-8")
    codes = [server.admin_enroll("W001", "张三", GRID), server.admin_enroll("W002", "李四", GRID)]

    ran = subprocess.run(
        [sys.executable, "guide.py"],
        cwd=tmp_path,
        env=environment(),
        input="\n".join(codes),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stderr
    # An iterator, so that each line is looked for behind the one before it.
    printed = iter(ran.stdout.splitlines())
    promised = SAID.findall(examples)
    assert promised
    missing = [line for line in promised if line not in printed]
    assert missing == [], ran.stdout


@pytest.mark.long
def test_the_commands_of_the_guide_run_as_they_stand(server: ServerProcess, tmp_path: Path) -> None:
    (block,) = fenced("console")
    commands = [line.removeprefix("$ ") for line in block.splitlines()]
    settings = {"GRIDLOG_PASSPHRASE": "a long passphrase", "GRIDLOG_WEAK_KDF_FOR_TESTS": "1", "GRIDLOG_LANG": "en"}

    ran = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", *commands])],  # noqa: S607 - the reader's own shell
        cwd=tmp_path,
        env=environment(CODE=server.admin_enroll("W001", "张三", GRID), **settings),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "西门岗亭旁边的路灯不亮" in ran.stdout


@pytest.mark.long
def test_the_tests_of_the_guide_pass_as_they_stand(tmp_path: Path) -> None:
    settings = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    (tmp_path / "pytest.ini").write_text(settings, encoding="utf-8")
    for content in fenced("py"):
        first_line, *_ = content.splitlines()
        (tmp_path / first_line.removeprefix("# ")).write_text(content, encoding="utf-8")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stdout
    assert " 2 passed" in ran.stdout


def test_the_guide_names_everything_that_an_app_can_meet() -> None:
    text = (ROOT / GUIDE).read_text(encoding="utf-8")
    errors = [name for name in gridlog.__all__ if name.endswith("Error")]
    assert [name for name in [*errors, "Add", "Remove", "Count"] if f"`{name}" not in text] == []
