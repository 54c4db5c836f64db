"""The documents tell the truth: their commands and examples run, literally."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import ServerProcess, free_port

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")


def fenced(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def environment(**more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "GRIDLOG_PASSPHRASE": "a long passphrase", **more}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "server")
    process.start()
    yield process
    process.stop()


def test_the_sdk_example_of_the_readme_runs_as_it_stands(server: ServerProcess, tmp_path: Path) -> None:
    (example,) = fenced("README.md", "python")
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    code = server.admin_enroll("W001", "张三", "420106001001001")

    ran = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        input=code,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr
    assert "on this phone only\nreceived by the server 1-" in ran.stdout


@pytest.mark.long
def test_the_commands_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    (block,) = fenced("README.md", "console")
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    port = free_port()
    # Only the port differs from what a reader types, so that tests can run beside each other.
    settings = {
        "GRIDLOG_SERVER_PORT": str(port),
        "GRIDLOG_SERVER_ADDRESS": f"http://127.0.0.1:{port}",
        "GRIDLOG_LANG": "en",
    }
    script = "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p)' EXIT", *commands])

    ran = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=tmp_path,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "西门岗亭旁边的路灯不亮" in ran.stdout


def test_the_two_readmes_mirror_each_other() -> None:
    english, chinese = (
        [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line.startswith("#")]
        for name in READMES
    )
    assert [line.split(" ")[0] for line in english] == [line.split(" ")[0] for line in chinese]
    assert fenced("README.md", "console") == fenced("README.zh-CN.md", "console")
    # The example is one program; only what people read in it is translated.
    programs = [re.sub(r'"[^"]*"|  #.*', "", example) for name in READMES for example in fenced(name, "python")]
    assert programs == programs[:1] * len(READMES)


@pytest.mark.parametrize("document", sorted(ROOT.rglob("*.md")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(document: Path) -> None:
    if ".venv" in document.parts or "node_modules" in document.parts:
        return
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing
