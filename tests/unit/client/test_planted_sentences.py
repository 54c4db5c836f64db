"""No sentence stands in any file: not while the store is used, not after locks, kills, snapshots, a wipe."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gridlog.journal import JOURNAL_FILE
from gridlog.keydisk import KEYS_FILE, SNAPSHOT_FILE
from tests.unit.client.planting import (
    SENTENCES,
    SENTENCES_PLANTED,
    Found,
    Searcher,
    files_below,
    files_open_in,
    forms_of_sentence,
)
from tools.crash.director import compile_shim
from tools.crash.recording import Written, read_log

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher(form for sentence in SENTENCES for form in forms_of_sentence(sentence))


@contextmanager
def playing(private: Path, part: str, *, shim: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a part of the story; everything that it might write is below `private`, what it logs too."""
    scratch = {name: str(private / name) for name in ("TMPDIR", "SQLITE_TMPDIR", "HOME")}
    for directory in scratch.values():
        Path(directory).mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.unit.client.planted_story", str(private / "store"), part]
    if shim is not None:
        scratch["LD_PRELOAD"] = str(shim)
        command.append(str(private.with_suffix(".written")))
    with (
        (private / f"{part}.log").open("wb") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | scratch,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as child,
    ):
        try:
            yield child
        finally:
            child.kill()


def told(child: subprocess.Popen[bytes]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().decode().strip()


def go_on(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.write(b"\n")
    child.stdin.flush()


def moments(child: subprocess.Popen[bytes]) -> Iterator[str]:
    """Yield each moment at which the child waits."""
    while (moment := told(child)) not in ("", "writing"):
        yield moment
        go_on(child)


def test_no_sentence_stands_in_any_file_at_any_moment_of_a_stores_life(tmp_path: Path, searcher: Searcher) -> None:
    found: dict[str, dict[Path, set[Found]]] = {}
    present: dict[str, set[str]] = {}
    with playing(tmp_path, "live") as child:
        for moment in moments(child):
            found[moment] = searcher.found_in_files([*files_below(tmp_path), *files_open_in(child.pid)])
            present[moment] = {path.name for path in (tmp_path / "store").iterdir()}
        for _ in range(50):
            assert told(child) == "writing"
        child.send_signal(signal.SIGSTOP)
        found["writing"] = searcher.found_in_files([*files_below(tmp_path), *files_open_in(child.pid)])
        child.kill()
        child.wait()
        found["killed"] = searcher.found_in_files(files_below(tmp_path))
    with playing(tmp_path, "end") as child:
        for moment in moments(child):
            found[moment] = searcher.found_in_files([*files_below(tmp_path), *files_open_in(child.pid)])
            present[moment] = {path.name for path in (tmp_path / "store").iterdir()}
        assert child.wait() == 0, (tmp_path / "end.log").read_text()

    assert list(found) == [
        "made",
        "written",
        "looked at",
        "locked, with a snapshot",
        "unlocked and looked at",
        "compacted",
        "writing",
        "killed",
        "opened after the kill",
        "closed",
        "wiped",
    ]
    assert {moment: each for moment, each in found.items() if each} == {}
    assert {KEYS_FILE, JOURNAL_FILE, SNAPSHOT_FILE} <= present["locked, with a snapshot"]
    assert SNAPSHOT_FILE not in present["compacted"]
    assert JOURNAL_FILE not in present["wiped"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="apt install gcc libc6-dev")
def test_no_sentence_is_ever_written_to_a_file_not_even_to_one_that_is_gone_at_once(
    tmp_path: Path, searcher: Searcher
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    with playing(private, "live", shim=compile_shim(tmp_path)) as child:
        assert "compacted" in [*moments(child)]
        child.kill()
    with playing(private, "end", shim=compile_shim(tmp_path)) as child:
        assert "wiped" in [*moments(child)]
    written = private.with_suffix(".written").read_bytes()

    assert searcher.found_in(written) == set()
    assert sum(len(event.content) for event in read_log(written).events if isinstance(event, Written)) > 1 << 19
    assert searcher.found_in(written + SENTENCES[0].encode()) == {Found(SENTENCES[0], "utf-8")}


def test_the_search_finds_each_sentence_in_each_encoding_at_any_place_of_any_file(
    tmp_path: Path, searcher: Searcher
) -> None:
    assert len(set(SENTENCES)) == SENTENCES_PLANTED == 200
    encodings = set()
    for number, sentence in enumerate(SENTENCES[:10]):
        for form in forms_of_sentence(sentence):
            content = os.urandom(1000 + number) + form.content + os.urandom(500)
            (tmp_path / "file").write_bytes(content)
            assert Found(sentence, form.encoding) in searcher.found_in_files([tmp_path / "file"])[tmp_path / "file"]
            encodings.add(form.encoding)
    assert len(encodings) == 2 * 10
    assert {each.of for each in searcher.found_in("".join(SENTENCES).encode())} == set(SENTENCES)


def test_the_search_finds_a_piece_of_sixteen_bytes_and_nothing_in_noise(searcher: Searcher) -> None:
    for at in range(8):
        piece = bytes(at) + SENTENCES[7].encode()[20:36] + b"\xff"
        assert searcher.found_in(piece) == {Found(SENTENCES[7], "utf-8")}
    assert searcher.found_in(os.urandom(1 << 20)) == set()


def test_the_search_finds_what_stands_in_a_file_without_a_name(searcher: Searcher) -> None:
    with tempfile.TemporaryFile() as nameless:
        nameless.write(SENTENCES[3].encode("gb18030"))
        nameless.flush()
        found = searcher.found_in_files(files_open_in(os.getpid()))
    assert {Found(SENTENCES[3], "gb18030")} in found.values()
