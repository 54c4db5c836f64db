"""Check a database: fold every record from the log again, and compare with what is stored.

What is checked: the log's hash chain, each op's hash, the chain and head of each incarnation, each segment's
signature under its device's key; and of what is made from the log, each record's state, scopes, conflicts and
touches, and each scope's digest. Nothing is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position, RecordId, ScopeId, shown
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.log_chain import EntryType, decided_hash, gap_hash, log_next
from gridlog_protocol.ops import op_hash
from gridlog_protocol.segment import chain_next, chain_start, signed_bytes
from gridlog_protocol.state import RecordState
from gridlog_server.store.contract import StoredOp, StoredRecord
from gridlog_server.store.sqlite_audit import AuditedEntry
from gridlog_server.store.sqlite_transaction import SqliteTransaction
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.changes import Movement, Touch
from gridlog_sync.digest import EMPTY, SetDigest, leaves
from gridlog_sync.merge import Entry, apply
from gridlog_sync.scope import scopes_of_record
from gridlog_sync.view import conflicts_of

_NO_STAMP = Stamp(0)
_RECORDS_AT_ONCE = 500
_EFFECTIVE = (EntryType.ACCEPTED, EntryType.RELEASED)


@dataclass(slots=True)
class Checked:
    """How much was looked at, and what is wrong, one sentence each."""

    entries: int = 0
    ops: int = 0
    segments: int = 0
    records: int = 0
    findings: list[str] = field(default_factory=list)


async def check(snapshot: SqliteTransaction, tenancy: Tenancy, kinds: KindSet) -> Checked:
    """Check all that one snapshot of a database has."""
    checked = Checked()
    async for finding in _log(snapshot, tenancy, checked):
        checked.findings.append(finding)
    async for finding in _ops(snapshot, checked):
        checked.findings.append(finding)
    async for finding in _segments(snapshot, tenancy, checked):
        checked.findings.append(finding)
    async for finding in _records(snapshot, kinds, checked):
        checked.findings.append(finding)
    return checked


async def _log(snapshot: SqliteTransaction, tenancy: Tenancy, checked: Checked) -> AsyncIterator[str]:
    forks = {each.position: each.log_hash for each in tenancy.epochs}
    link, expected = tenancy.log_start, 1
    async for each in snapshot.audit.entries():
        checked.entries += 1
        if each.position != expected:
            yield f"log: position {expected} is missing"
        said = _said(each, await _gap(snapshot, each))
        stamp = Stamp(each.stamp or 0) if each.entry_type in _EFFECTIVE else _NO_STAMP
        entry_type = EntryType(each.entry_type)
        if said is None:
            yield f"log: the entry at {each.position} is about an op or a decision that is not here"
        else:
            link = log_next(
                link, position=each.position, entry_type=entry_type, op=each.op, op_hash=said, stamp=stamp
            )
        if said is not None and link != each.hash:
            yield f"log: the hash at {each.position} does not follow"
        link, expected = each.hash, each.position + 1
        if forks.get(each.position, link) != link:
            yield f"log: an epoch began at {each.position} with another hash"


async def _gap(snapshot: SqliteTransaction, entry: AuditedEntry) -> bytes | None:
    """Return what a closed gap's entry says of it: which seqs were missing, and the chain value behind them."""
    if entry.entry_type != EntryType.GAP_CLOSED:
        return None
    device, incarnation, last = entry.op
    behind = await snapshot.audit.segment_after(device, incarnation, last)
    before = await snapshot.audit.last_before(device, incarnation, last)
    return gap_hash(before + 1, last, behind) if behind is not None else None


def _said(entry: AuditedEntry, gap: bytes | None) -> bytes | None:
    said = gap if entry.entry_type == EntryType.GAP_CLOSED else entry.op_hash
    if said is None or entry.entry_type == EntryType.ACCEPTED:
        return said
    return decided_hash(said, entry.ruling) if entry.ruling is not None else None


async def _ops(snapshot: SqliteTransaction, checked: Checked) -> AsyncIterator[str]:
    """Check each op by itself, and the chain of each incarnation."""
    heads = {(device, name): (seq, head) for device, name, seq, head in await snapshot.audit.incarnations()}
    chains: dict[tuple[DeviceId, Incarnation], tuple[int, bytes]] = {}
    async for op, record, stored in snapshot.audit.ops():
        checked.ops += 1
        hashed = op_hash(stored.op)
        if (stored.op.id, stored.op.record, hashed) != (op, record, stored.hash):
            yield f"op {_name(op)}: it does not say what its hash says"
        place = (op.device, op.incarnation)
        seq, link = chains.get(place, (0, chain_start(*place)))
        if op.seq != seq + 1:
            # Behind a gap that somebody closed, the chain begins with what the next segment says.
            link = await snapshot.audit.segment_after(*place, op.seq - 1) or link
        chains[place] = op.seq, chain_next(link, hashed)
    for place in sorted(heads.keys() | chains.keys()):
        if heads.get(place) != chains.get(place):
            yield f"incarnation {place[0].hex()[:8]}-{place[1].hex()[:8]}: its chain is not that of its ops"


async def _segments(snapshot: SqliteTransaction, tenancy: Tenancy, checked: Checked) -> AsyncIterator[str]:
    keys = {each.id: each.signing_key for each in await snapshot.registry.devices()}
    async for each in snapshot.audit.segments():
        checked.segments += 1
        last = each.first_seq + each.count - 1
        ops = await snapshot.ledger.ops(each.device, each.incarnation, each.first_seq, last)
        link = each.chain_before
        for stored in ops:
            link = chain_next(link, stored.hash)
        if len(ops) != each.count or link != each.chain_after:
            yield f"segment {each.number}: its chain is not that of its ops"
            continue
        said = signed_bytes(tenancy.tenant, ops[0].op, each.count, each.chain_before, each.chain_after)
        try:
            Ed25519PublicKey.from_public_bytes(keys[each.device]).verify(each.signature, said)
        except (KeyError, InvalidSignature):
            yield f"segment {each.number}: not signed by its device"


async def _records(snapshot: SqliteTransaction, kinds: KindSet, checked: Checked) -> AsyncIterator[str]:
    digests: dict[tuple[ScopeId, int], SetDigest] = {}
    told, strangers = _Told(snapshot.audit.touches()), list[RecordId]()
    ids = await snapshot.audit.record_ids()
    for at in range(0, len(ids), _RECORDS_AT_ONCE):
        some = ids[at : at + _RECORDS_AT_ONCE]
        stored, touches = await snapshot.ledger.records(some), await told.up_to(some[-1])
        for record, history in (await snapshot.audit.histories(some)).items():
            checked.records += 1
            folded = _folded(record, history, kinds)
            for scope in folded.scopes:
                for digest_class, leaf in leaves(folded.state).items() if folded.state else ():
                    key = (scope, digest_class)
                    digests[key] = digests.get(key, EMPTY).plus(leaf)
            for finding in _different(stored.get(record), folded, touches.pop(record, []), kinds):
                yield f"record {shown(record)}: {finding}"
        strangers += touches
    for record in [*strangers, *await told.up_to(None)]:
        yield f"record {shown(record)}: devices are told about it, and no entry of the log makes it"
    kept = await snapshot.ledger.digests(await snapshot.audit.scopes())
    for key in sorted(kept.keys() | digests.keys()):
        if kept.get(key, EMPTY) != digests.get(key, EMPTY):
            yield f"scope {key[0]}, class {key[1]}: its digest is not that of its records"


class _Told:
    """What devices are told about records, read along with the records: both come by id."""

    def __init__(self, touches: AsyncIterator[Touch]) -> None:
        self._touches = touches
        self._next: Touch | None = None

    async def up_to(self, last: RecordId | None) -> dict[RecordId, list[Touch]]:
        """Return what comes next, up to a record and including it; None is the end of all."""
        found: dict[RecordId, list[Touch]] = {}
        while (each := self._next or await anext(self._touches, None)) and (last is None or each.record <= last):
            found.setdefault(each.record, []).append(each)
            self._next = None
        self._next = each
        return found


@dataclass(frozen=True, slots=True)
class _Folded:
    """What the log makes of a record."""

    state: RecordState | None
    changed: Position
    scopes: frozenset[ScopeId]
    touches: list[Touch]


def _folded(record: RecordId, history: list[StoredOp], kinds: KindSet) -> _Folded:
    """Fold a record from its ops, by position."""
    folded = _Folded(None, Position(0), frozenset(), [])
    for stored in history:
        if stored.position is None or stored.stamp is None:
            continue
        low = replace(stored.op, seen=replace(stored.op.seen, position=stored.named))
        state = apply(folded.state, Entry(low, stored.stamp, stored.position))
        kind = kinds.get(stored.op.kind)
        scopes = scopes_of_record(state, kind) if kind else folded.scopes
        fields = tuple(sorted({edit.field for edit in stored.op.edits}))
        touches = [
            Touch(stored.position, scope, record, _movement(scope, folded.scopes, scopes), fields)
            for scope in sorted(scopes | folded.scopes)
        ]
        folded = _Folded(state, stored.position, scopes, [*folded.touches, *touches])
    return folded


def _movement(scope: ScopeId, before: frozenset[ScopeId], after: frozenset[ScopeId]) -> Movement:
    if scope not in after:
        return Movement.LEFT
    return Movement.TOUCHED if scope in before else Movement.ENTERED


def _different(stored: StoredRecord | None, folded: _Folded, touches: list[Touch], kinds: KindSet) -> Iterator[str]:
    if stored is None or folded.state is None:
        yield "it is not stored" if stored is None else "no entry of the log makes it"
        return
    if stored.state != folded.state:
        names = sorted(stored.state.fields.keys() | folded.state.fields.keys())
        wrong = [name for name in names if stored.state.fields.get(name) != folded.state.fields.get(name)]
        yield f"stored otherwise than the log says: {', '.join(wrong) or 'its head'}"
    if stored.scopes != folded.scopes:
        yield "it is in other scopes than the log says"
    if stored.changed != folded.changed:
        yield f"its last change is at {folded.changed}, and {stored.changed} is stored"
    if stored.conflicts != len(conflicts_of(folded.state, kinds.get(folded.state.kind))):
        yield "its conflicts are counted wrongly"
    if touches != folded.touches:
        yield "the entries that devices are told about are not those of the log"


def _name(op: OpId) -> str:
    return f"{op.device.hex()[:8]}-{op.incarnation.hex()[:8]}-{op.seq}"
