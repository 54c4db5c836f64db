"""Two hundred sentences that nobody else writes, and a search for them in every form that a careless program leaves.

The rule it keeps: whatever stands somewhere with sixteen bytes in a row is found, in one pass. A search looks at each
aligned run of eight bytes, so it takes a machine word for a needle, and asks only of those that fit for more.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

SENTENCES_PLANTED = 200
RUN_BYTES_MIN = 16
_CHARACTERS = 24
_WORD_BYTES = 8


def _made_up() -> tuple[str, ...]:
    """Draw characters in an order in which nobody writes them: no other text has even three of them in a row."""
    rng = Random(20_261_120)  # noqa: S311  No secret: the same sentences in each process.
    return tuple(
        "".join(chr(rng.randint(0x4E00, 0x9FA5)) for _ in range(_CHARACTERS)) for _ in range(SENTENCES_PLANTED)
    )


SENTENCES = _made_up()


class Form(NamedTuple):
    """One way to write down one of the things that are searched for."""

    of: str
    encoding: str
    content: bytes


class Found(NamedTuple):
    """What stands where it must not."""

    of: str
    encoding: str


def forms_of_sentence(sentence: str) -> Iterator[Form]:
    """Yield a sentence in each encoding, forwards and backwards."""
    forward = {
        "utf-8": sentence.encode(),
        "utf-16-le": sentence.encode("utf-16-le"),
        "utf-16-be": sentence.encode("utf-16-be"),
        "gb18030": sentence.encode("gb18030"),
        "json": json.dumps(sentence).strip('"').encode(),
        **_as_text(sentence.encode()),
    }
    yield from _both_ways(sentence, forward)


def forms_of_key(name: str, key: bytes) -> Iterator[Form]:
    """Yield a key as it is, with the bytes of each word swapped, as a cipher may hold it, and written as text."""
    swapped = b"".join(key[at : at + 4][::-1] for at in range(0, len(key), 4))
    yield from _both_ways(name, {"raw": key, "swapped": swapped, **_as_text(key)})


def _as_text(raw: bytes) -> dict[str, bytes]:
    texts = {"hex": raw.hex().encode(), "hex-upper": raw.hex().upper().encode()}
    for shift in range(3):
        # What stands before and after decides about the outer characters; the inner ones are the same everywhere.
        texts[f"base64-{shift}"] = base64.b64encode(bytes(shift) + raw)[4:-4]
    return texts


def _both_ways(name: str, forward: dict[str, bytes]) -> Iterator[Form]:
    for encoding, content in forward.items():
        yield Form(name, encoding, content)
        yield Form(name, f"{encoding}-reversed", content[::-1])


class Searcher:
    """Finds any of the forms in bytes."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._words: dict[int, list[tuple[Form, int]]] = {}
        for form in forms:
            assert len(form.content) >= RUN_BYTES_MIN
            for at in range(len(form.content) - _WORD_BYTES + 1):
                self._words.setdefault(_word(form.content[at : at + _WORD_BYTES]), []).append((form, at))
        self._known = frozenset(self._words)

    def found_in(self, content: bytes) -> set[Found]:
        """Return what stands in `content`, at any place, with at least sixteen bytes in a row."""
        whole = len(content) - len(content) % _WORD_BYTES
        found: set[Found] = set()
        for word in self._known.intersection(memoryview(content)[:whole].cast("Q")):
            for form, at in self._words[word]:
                one = Found(form.of, form.encoding)
                if one not in found and any(run in content for run in _runs(form.content, at)):
                    found.add(one)
        return found

    def found_in_files(self, paths: Iterable[Path]) -> dict[Path, set[Found]]:
        """Return what stands in files, by file; files with nothing in them are left out."""
        found = {path: self.found_in(path.read_bytes()) for path in paths}
        return {path: each for path, each in found.items() if each}


def _word(raw: bytes) -> int:
    return memoryview(raw).cast("Q")[0]


def _runs(content: bytes, at: int) -> Iterator[bytes]:
    """Yield the runs around the word at `at` that are long enough to be no accident."""
    first = max(0, at + _WORD_BYTES - RUN_BYTES_MIN)
    for start in range(first, min(at, len(content) - RUN_BYTES_MIN) + 1):
        yield content[start : start + RUN_BYTES_MIN]


def files_below(directory: Path) -> list[Path]:
    """Return every file below a directory."""
    return [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]


def files_open_in(process: int) -> list[Path]:
    """Return every regular file that a process has open, also those that have no name any more."""
    descriptors = Path(f"/proc/{process}/fd")
    return [path for path in descriptors.iterdir() if path.is_file()]


def memory_of(process: int) -> Iterator[bytes]:
    """Yield what a core dump of a process would have: all of its memory that it can read and that is its own."""
    with Path(f"/proc/{process}/maps").open(encoding="utf-8") as maps:
        regions = [line.split() for line in maps]
    descriptor = os.open(f"/proc/{process}/mem", os.O_RDONLY)
    try:
        for span, permissions, *_ in (region for region in regions if _is_dumped(region)):
            assert permissions
            first, last = (int(each, 16) for each in span.split("-"))
            yield _read_all(descriptor, first, last - first)
    finally:
        os.close(descriptor)


def _is_dumped(region: list[str]) -> bool:
    is_kernels = len(region) > 5 and region[5] in {"[vvar]", "[vsyscall]", "[vvar_vclock]"}
    return region[1].startswith("r") and region[1].endswith("p") and not is_kernels


def _read_all(descriptor: int, at: int, size: int) -> bytes:
    pieces = []
    while size and (piece := os.pread(descriptor, size, at)):
        pieces.append(piece)
        at, size = at + len(piece), size - len(piece)
    return b"".join(pieces)
