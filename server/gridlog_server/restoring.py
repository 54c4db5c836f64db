"""Restore a server from a backup: a new life of the database, which devices bring what came after it.

    backup + manifest  ->  checked copy  ->  schema of this version  ->  new epoch at the fork  ->  control journal
                                                                                 played again  ->  in its place

The rule it keeps: what stands in the data directory is set aside, never overwritten, and the restored database comes
to its place last, in one rename. Whoever is killed before that runs the command again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gridlog_protocol.epochs import EpochStart
from gridlog_protocol.ids import Epoch, Position
from gridlog_protocol.texts import Text

from .control import ControlJournal, acts_of, sync_directory
from .keyfile import read_keys
from .service.backing_up import FORMAT, digest_of, manifest_path
from .service.standing import ACTIVE, SUSPENDED
from .settings import FILE, Settings
from .store.acts import play
from .store.contract import Transaction
from .store.sqlite import SqliteStore
from .store.sqlite_files import begin_epoch, head_of, migrate

_COMPANIONS = ("", "-wal", "-shm")


class RestoreError(Exception):
    """The backup cannot be restored here. Nothing was changed. `text` says why."""

    def __init__(self, zh: str, en: str) -> None:
        self.text = Text(zh, en)
        super().__init__(en)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: the new epoch, where it goes on, how many acts were played, what was set aside."""

    epoch: Epoch
    position: Position
    acts: int
    set_aside: Path | None


def read_manifest(backup: Path) -> dict[str, Any]:
    """Read a backup's manifest, and make sure that the backup is what it says. Raises RestoreError."""
    try:
        manifest: dict[str, Any] = json.loads(manifest_path(backup).read_text(encoding="utf-8"))
        is_known = manifest["format"] == FORMAT
        is_whole = backup.stat().st_size == manifest["bytes"] and digest_of(backup) == manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise RestoreError(f"读不了备份：{reason}", f"Cannot read the backup: {reason}") from None
    if not is_known:
        raise RestoreError("备份来自更新的版本。", "The backup is of a newer version.")
    if not is_whole:
        raise RestoreError("备份文件与清单不符，已损坏。", "The backup is not what its manifest says: it is damaged.")
    return manifest


def put_settings(data: Path, manifest: dict[str, Any]) -> None:
    """Write the backup's settings into a directory that has none."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (data / FILE).exists():
        (data / FILE).write_text(manifest["settings"], encoding="utf-8")


async def restore(
    settings: Settings,
    backup: Path,
    manifest: dict[str, Any],
    *,
    now_ms: Callable[[], int],
    entropy: Callable[[int], bytes],
    without_journal: bool,
) -> Restored:
    """Put a backup, checked by `read_manifest`, into the place of the database. The caller holds the lock.

    `without_journal` goes on although there is no control journal: then every device is suspended and no password
    holds, for nobody knows which were revoked since. Raises RestoreError, KeyFileError, ControlJournalError,
    StoreFormatError.
    """
    keys = read_keys(settings.keys)
    has_journal = settings.control.exists()
    if not has_journal and not without_journal:
        raise RestoreError(
            f"没有 {settings.control}：不知道备份之后停用了哪些终端。"
            "确实丢失时请加 --without-journal，所有终端会先停用。",
            f"{settings.control} is missing: nobody knows which devices were revoked since. If it is lost, say"
            " --without-journal: every device is suspended then.",
        )
    acts = [*acts_of(settings.control, keys.signing.public_key())] if has_journal else []
    fresh = settings.data / "restoring.db"
    _remove(fresh)
    _copy(backup, fresh)
    migrate(fresh)
    position, link = head_of(fresh)
    if (position, link.hex()) != (manifest["position"], manifest["log_hash"]):
        raise RestoreError("备份的日志与清单不符。", "The backup's log is not the one of its manifest.")
    epoch = Epoch(entropy(8))
    begin_epoch(fresh, EpochStart(epoch, Position(position), link), restored_ms=now_ms())
    store = await SqliteStore.open(fresh)
    try:
        played = await store.commit(lambda transaction: play(transaction, acts))
        if not has_journal:
            await store.commit(suspend_active)
    finally:
        await store.close()
    # Before it comes to its place: whoever is killed in between finds a server that asks for `restore` again.
    life = {"act": "restored", "epoch": epoch.hex(), "position": position, "log_hash": link.hex()}
    ControlJournal(settings.control, keys.signing).record([{**life, "at_ms": now_ms()}])
    aside = _put_in_place(settings.database, fresh, epoch)
    return Restored(epoch, Position(position), played, aside)


async def suspend_active(transaction: Transaction) -> None:
    """Turn every device away until somebody confirms it. What was lost, wiped or revoked in the backup stays so."""
    for device in await transaction.registry.devices():
        if device.status == ACTIVE:
            await transaction.registry.put_device(replace(device, status=SUSPENDED))
    for account in await transaction.accounts.accounts():
        # Whose role or password was taken away since is unknown too: an administrator gives new ones at the machine.
        await transaction.accounts.put_account(replace(account, password=""))


def _copy(backup: Path, fresh: Path) -> None:
    source = sqlite3.connect(f"file:{backup}?mode=ro&immutable=1", uri=True)
    with closing(source), closing(sqlite3.connect(fresh)) as target:
        fresh.chmod(0o600)
        source.backup(target)
        [[said]] = target.execute("PRAGMA quick_check(1)").fetchall()
        if said != "ok":
            raise RestoreError(f"备份的数据库已损坏：{said}", f"The backup's database is damaged: {said}")


def _put_in_place(database: Path, fresh: Path, epoch: Epoch) -> Path | None:
    aside = database.with_name(f"{database.name}.before-{epoch.hex()}")
    has_former = database.exists()
    for companion in _COMPANIONS:
        former = database.with_name(database.name + companion)
        if former.exists():
            former.rename(aside.with_name(aside.name + companion))
    descriptor = os.open(fresh, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    fresh.rename(database)
    sync_directory(database.parent)
    return aside if has_former else None


def _remove(path: Path) -> None:
    for companion in _COMPANIONS:
        path.with_name(path.name + companion).unlink(missing_ok=True)
