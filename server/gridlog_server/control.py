"""The control journal: who may speak to this server, kept beside the database and not in its backups.

A backup knows neither the devices that were enrolled after it, nor those that were revoked. Both must hold in the
restored database before it answers anybody. So each change of a person, a device or an enrolment code is appended
here, durably, before whoever asked for it is told; `restore` plays it again.

    base64 of an Ed25519 signature, a space, JSON with the act, its number and the SHA-256 of the line before it

The server's own key signs. Acts name people and public keys; there is no secret in them that a backup has not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SIGNED = b"gridlog v1 control"

ControlAct = Mapping[str, Any]
"""What happened, as JSON: `act` names it, the rest says with whom. Bytes are in hex, times in Unix milliseconds."""


class ControlJournalError(Exception):
    """The control journal is damaged, or not of this server: who may speak to it cannot be taken from there."""


@dataclass(frozen=True, slots=True)
class _End:
    """Where a journal ends: how many acts it has, the hash of the last line, and how many bytes are whole lines."""

    number: int
    hash: str
    size: int


class ControlJournal:
    """Appends acts. One process at a time: whoever holds the data directory's lock."""

    def __init__(self, path: Path, key: Ed25519PrivateKey) -> None:
        self._path = path
        self._key = key
        self._end: _End | None = None

    def record(self, acts: Sequence[ControlAct]) -> None:
        """Append acts, and return when they are on the disk. Raises OSError."""
        end = self._end or _end_of(self._path)
        lines: list[bytes] = []
        for act in acts:
            said = json.dumps({**act, "n": end.number + 1, "before": end.hash}, ensure_ascii=False).encode()
            line = base64.b64encode(self._key.sign(_SIGNED + said)) + b" " + said + b"\n"
            lines.append(line)
            end = _End(end.number + 1, hashlib.sha256(line).hexdigest(), end.size + len(line))
        is_new = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            # What a power cut left of a line that nobody was told about goes first.
            file.truncate(end.size - sum(map(len, lines)))
            file.seek(0, os.SEEK_END)
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_directory(self._path.parent)
        self._end = end


def acts_of(path: Path, key: Ed25519PublicKey) -> Iterator[ControlAct]:
    """Yield all acts of a journal, oldest first. Raises ControlJournalError, FileNotFoundError.

    The rest of a line that a power cut left at the end is passed over: nobody was told about it.
    """
    before = ""
    for number, line in enumerate(_lines(path.read_bytes()), start=1):
        signature, _, said = line.rstrip(b"\n").partition(b" ")
        try:
            key.verify(base64.b64decode(signature, validate=True), _SIGNED + said)
            act = json.loads(said)
        except (InvalidSignature, ValueError):
            raise ControlJournalError(f"{path}: line {number} is not what this server wrote") from None
        if (act["n"], act["before"]) != (number, before):
            raise ControlJournalError(f"{path}: lines are missing before line {number}")
        before = hashlib.sha256(line).hexdigest()
        yield act


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _end_of(path: Path) -> _End:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return _End(0, "", 0)
    lines = [*_lines(content)]
    return _End(len(lines), hashlib.sha256(lines[-1]).hexdigest() if lines else "", sum(map(len, lines)))


def _lines(content: bytes) -> Iterable[bytes]:
    return (line for line in content.splitlines(keepends=True) if line.endswith(b"\n"))
