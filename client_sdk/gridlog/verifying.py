"""Read a whole store again, and say where it is not what was written: journal, snapshot, or what is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from gridlog_protocol.canonical import Value
from gridlog_protocol.texts import Text

from .entries import EntryError
from .errors import DiskFailedError, StoreDamagedError, StorePart
from .image import ForeignImageError, fact_rows, load_image
from .journal import Journal
from .keydisk import SNAPSHOT_FILE
from .memory import Memory
from .reading import empty_memory, replay_into
from .snapshot import SnapshotRefusedError, find_snapshot
from .vault import Vault

_SAYS = {
    StorePart.JOURNAL: Text("记录日志已损坏", "The journal is damaged"),
    StorePart.SNAPSHOT: Text("快照已损坏（不影响记录）", "The snapshot is damaged; no record depends on it"),
    StorePart.MEMORY: Text(
        "内存与日志不一致，请关闭后重新打开", "Memory differs from the journal: close and open again"
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not what was written. `position` is an entry of the journal, 0 if there is none to name."""

    where: StorePart
    position: int

    @property
    def text(self) -> Text:
        """What the worker reads."""
        said = _SAYS[self.where]
        at = Text(f"（第 {self.position} 条）", f" (entry {self.position})") if self.position else Text("", "")
        return Text(said.zh + at.zh, said.en + at.en)


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` read: so many entries, last number and all, and so many records; and what was wrong with them."""

    entries: int
    last_entry: int
    records: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether everything is what was written."""
        return not self.findings


def verify(directory: Path, vault: Vault, journal: Journal, memory: Memory) -> Verified:
    """Read everything of an open store again, from the disk. It changes nothing."""
    again = empty_memory(vault)
    findings: list[Finding] = []
    try:
        findings += _in_snapshot(directory, vault, journal, again)
    except StoreDamagedError as damage:
        findings.append(Finding(damage.where, damage.position or 0))
    except (EntryError, DiskFailedError):
        findings.append(Finding(StorePart.JOURNAL, 0))
    else:
        if _differ(memory, again):
            findings.append(Finding(StorePart.MEMORY, 0))
    records = again.projection.counts()[0]
    again.projection.close()
    return Verified(journal.last_seq - journal.first_seq + 1, journal.last_seq, records, tuple(findings))


def _in_snapshot(directory: Path, vault: Vault, journal: Journal, again: Memory) -> Iterator[Finding]:
    """Read the journal once, and compare where the snapshot stands."""
    snapshot = find_snapshot(directory, vault)
    if snapshot is None and (directory / SNAPSHOT_FILE).exists():
        yield Finding(StorePart.SNAPSHOT, 0)
    frames = journal.replay()
    if snapshot is None or snapshot.seq < journal.first_seq:
        replay_into(again, frames)
        return
    replay_into(again, islice(frames, snapshot.seq - journal.first_seq + 1))
    from_snapshot = empty_memory(vault)
    try:
        load_image(from_snapshot, snapshot.parts())
        if _differ(from_snapshot, again):
            yield Finding(StorePart.SNAPSHOT, snapshot.seq)
    except ForeignImageError:
        pass
    except (SnapshotRefusedError, EntryError):
        yield Finding(StorePart.SNAPSHOT, 0)
    finally:
        from_snapshot.projection.close()
    again.replay(frames)


def _differ(one: Memory, other: Memory) -> bool:
    rows = zip_longest(one.projection.rows(), other.projection.rows())
    return any(row != another for row, another in rows) or _facts(one) != _facts(other)


def _facts(memory: Memory) -> list[list[Value]]:
    # The head has the last contact, of which an idle exchange leaves no trace in the journal.
    return [*fact_rows(memory)][1:]
