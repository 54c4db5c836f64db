"""A store with an enrolment, confirmed records and ops that wait, made without a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gridlog.entries import Enrolled, TakenAnswer, pack_answer, pack_enrolled
from gridlog.frames import FrameType
from gridlog.image import fact_rows
from gridlog.journal import Journal
from gridlog.memory import Memory
from gridlog.reading import open_files, read_store
from gridlog.sights import confirmed_of
from gridlog.store import FieldStore
from gridlog.vault import KdfProfile, Vault
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import DeviceHandle, Position, ScopeId, TenantId, UserId
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.state import RecordState
from gridlog_sync.session import Standing
from gridlog_sync.writing import Change
from tools.bench.records import EPOCH, confirmed_records, scopes

PASSPHRASE = "grid-worker-7"
ME = UserId(b"a worker's id 16")
SCOPES = (ScopeId("tenant"), *map(ScopeId, scopes()))
_AT = "2026-11-20T09:10:00+08:00"
PATROL: dict[str, Change] = {
    "patrol_type": "daily",
    "grid_code": scopes()[0],
    "leader": ME,
    "occurred_at": _AT,
    "started_at": _AT,
}


def make_filled(directory: Path, records: int, *, per_answer: int = 20) -> None:
    """Make a store that was enrolled and has fetched so many records."""
    with (
        Vault.create(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS) as vault,
        Journal.create(directory, vault) as journal,
    ):
        journal.append([(FrameType.ENROLMENT, pack_enrolled(enrolled()))])
        append_answers(journal, [*confirmed_records(records)], per_answer)


def append_answers(journal: Journal, records: Sequence[RecordState], per_answer: int) -> None:
    for first in range(0, len(records), per_answer):
        journal.append([(FrameType.ANSWER, pack_answer(answer(records[first : first + per_answer])))])


def enrolled() -> Enrolled:
    keys, handle, tenant = bytes(range(32)), DeviceHandle(bytes(8)), TenantId("420106")
    return Enrolled("http://127.0.0.1:9", keys, keys, handle, tenant, "武昌区", ME, "张三", EPOCH, SCOPES, 1, 0, b"")


def answer(records: Sequence[RecordState]) -> TakenAnswer:
    position = max((field.changed for each in records for field in each.fields.values()), default=Position(0))
    standing = Standing(EPOCH, position, bytes(8), 1, SCOPES, ())
    kept = tuple(confirmed_of(each, shipped_kinds()) for each in records)
    return TakenAnswer(standing, 1, 0, 0, Stamp(0), kept, (), {}, (), None)


async def opened(directory: Path) -> FieldStore:
    return await FieldStore.open(directory, PASSPHRASE)


def read(directory: Path) -> tuple[Memory, int, int]:
    """Read a store: what it knows, how many entries no snapshot covers, and the number of the last one."""
    files = open_files(directory, PASSPHRASE, None)
    try:
        loaded = read_store(files)
        return loaded.memory, loaded.uncovered, files.journal.last_seq
    finally:
        files.journal.close()
        files.vault.close()


def known(directory: Path) -> list[Sequence[object]]:
    """Return everything that a store knows."""
    memory = read(directory)[0]
    return [*fact_rows(memory), *memory.projection.rows()]
