"""What keeps the house small and clean, as a ratchet: these limits are only ever tightened."""

import ast
import re
import shutil
import statistics
import subprocess
from functools import cache
from pathlib import Path, PurePath

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "protocol/gridlog_protocol",
    "sync/gridlog_sync",
    "client_sdk/gridlog",
    "server/gridlog_server",
)
FILE_LINES_MAX = 400
MODULE_LINES_MEDIAN_MAX = 150
VAGUE_NAMES = {"util", "utils", "helper", "helpers"}

UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b")
LOCAL_PATH = re.compile(r"(?<![\w.~-])/(?:home|Users|root|work)/|\b[A-Z]:\\Users\\")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:com|org)|crates\.io|docker\.io|ghcr\.io|quay\.io"
    r"|mirrors?\.[a-z0-9-]+\.[a-z]+)\b"
)


@cache
def kept_files() -> tuple[PurePath, ...]:
    """List what is, or would be, committed."""
    git = shutil.which("git")
    assert git is not None, "git lists the files that these tests are about"
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(PurePath(name) for name in listed.split("\0") if name and (ROOT / name).is_file())


@cache
def text_of(path: PurePath) -> str:
    try:
        return (ROOT / path).read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def python_files(*folders: str) -> list[PurePath]:
    chosen = [path for path in kept_files() if path.suffix == ".py"]
    return [path for path in chosen if not folders or any(path.is_relative_to(folder) for folder in folders)]


def lines_matching(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}: {line.strip()}"
        for path in kept_files()
        for line in text_of(path).splitlines()
        if pattern.search(line)
    ]


def headings(text: str) -> int:
    outside_code = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    return len(re.findall(r"^#{1,6} ", outside_code, flags=re.MULTILINE))


def test_no_python_file_is_longer_than_the_limit() -> None:
    lengths = {str(path): len(text_of(path).splitlines()) for path in python_files()}
    assert {path: length for path, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_the_median_module_fits_two_screens() -> None:
    lengths = [len(text_of(path).splitlines()) for path in python_files(*PACKAGES)]
    assert statistics.median(lengths) <= MODULE_LINES_MEDIAN_MAX


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path) for path in python_files(*PACKAGES, "tools") if not ast.get_docstring(ast.parse(text_of(path)))
    ]
    assert silent == []


def test_no_file_or_folder_has_a_name_that_invites_anything() -> None:
    assert [str(path) for path in kept_files() if VAGUE_NAMES & {*path.parts, path.stem}] == []


@pytest.mark.parametrize("pattern", [UNFINISHED, LOCAL_PATH, REGISTRY_HOST])
def test_no_file_holds_unfinished_work_a_local_path_or_a_registry(pattern: re.Pattern[str]) -> None:
    assert lines_matching(pattern) == []


def test_the_readmes_have_the_same_number_of_headings() -> None:
    readmes = [path for path in kept_files() if re.fullmatch(r"README[\w.-]*\.md", str(path))]
    assert len({headings(text_of(path)) for path in readmes}) == 1
