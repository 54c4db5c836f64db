"""Take a backup while the server runs: the database as of one commit, and a manifest that says what it is.

The rule it keeps: a backup that is there under its name is whole and on the disk. The server's keys are not in it,
nor the control journal: who has a stolen backup cannot speak as this server.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from gridlog_server.store.tenancy import Tenancy

from .refusing import RefusedError

FORMAT = 1


class BackupError(RefusedError):
    """The backup cannot be taken. `text` says why."""


class Copied(Protocol):
    """A database that can be copied while it is in use."""

    @property
    def tenancy(self) -> Tenancy:
        """Whose it is."""
        ...

    async def backup(self, target: Path) -> None:
        """Copy it, as of one commit, into an empty file."""
        ...


def manifest_path(backup: Path) -> Path:
    """Return where the manifest of a backup is."""
    return backup.with_name(backup.name + ".json")


class BackingUp:
    """The use case behind `gridlog-server backup`. `head_of` reads position and log hash of a copy."""

    def __init__(
        self, store: Copied, settings: str, *, now_ms: Callable[[], int], head_of: Callable[[Path], tuple[int, bytes]]
    ) -> None:
        self._store = store
        self._settings = settings
        self._now_ms = now_ms
        self._head_of = head_of

    async def take(self, name: str) -> dict[str, Any]:
        """Back up into the file `name` (an absolute path), and return its manifest. Raises BackupError."""
        target = Path(name)
        part = target.with_name(target.name + ".part")
        try:
            await asyncio.to_thread(_begun, target, part)
            await self._store.backup(part)
            return await asyncio.to_thread(self._finished, part, target)
        except OSError as reason:
            raise BackupError(f"写不了 {target}：{reason}", f"Cannot write {target}: {reason}") from None
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)

    def _finished(self, part: Path, target: Path) -> dict[str, Any]:
        tenancy = self._store.tenancy
        position, link = self._head_of(part)
        manifest = {
            "format": FORMAT,
            "tenant": tenancy.tenant,
            "name": tenancy.name,
            "epoch": tenancy.epoch.hex(),
            "position": position,
            "log_hash": link.hex(),
            "taken_ms": self._now_ms(),
            "bytes": part.stat().st_size,
            "sha256": digest_of(part),
            "settings": self._settings,
        }
        said = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        # The manifest first: a backup without one would be of no use, one without its backup is plainly nothing.
        _write_durably(manifest_path(target), said.encode())
        _sync(part)
        part.rename(target)
        _sync(target.parent)
        return manifest


def _begun(target: Path, part: Path) -> None:
    if target.exists() or manifest_path(target).exists():
        raise BackupError(f"{target} 已存在，没有覆盖。", f"{target} exists already; nothing was overwritten.")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durably(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
