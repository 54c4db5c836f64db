"""Write down everything that an open store knows, and read it again: what snapshots and compacted journals hold.

An image is a sequence of parts: packed lists of rows, the head first, and then the records, in pieces of the pages
in which SQLite has them. It says all that the entries of the journal up to a place say together, so whoever reads it
goes on with the entries behind that place, and ends up exactly where somebody ends up who read them all.

Its parts come back out of a seal of this very device, which packed them: they are not searched for what a stranger
might have put there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any

import msgpack

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.clock import Hlc, Stamp
from gridlog_protocol.decisions import decision_rows, read_decisions
from gridlog_protocol.ids import Incarnation, OpId, Position, RecordId, UserId
from gridlog_protocol.op_codec import pack_op, unpack_op
from gridlog_protocol.rows import Row
from gridlog_protocol.salvage import salvage_of, salvage_row
from gridlog_protocol.state import Head
from gridlog_sync.resolutions import Resolution

from .drafts import entries_of, pack_draft, read_draft
from .entries import (
    DecidedOp,
    EntryError,
    HeldEntry,
    offset_row,
    pack_enrolled,
    pack_written,
    read_enrolled,
    read_offset,
    read_receipt,
    read_standing,
    read_written,
    receipt_row,
    standing_row,
)
from .memory import Memory
from .projection import LAYOUT, Projection, confirmed_in
from .resolutions import Overruled
from .sights import derivation

_VERSION = 1
_PORTION_BYTES = 256 << 10
_PAGES_BYTES = 1 << 20


class _Tag(IntEnum):
    """What a row is about."""

    HEAD = 0
    PAGES = 1
    PENDING = 2
    HELD = 3
    DECIDED = 4
    RECEIPT = 5
    RESOLUTION = 6
    OVERRULED = 7
    OWN = 8
    SETTLED = 9
    PARTIAL = 10
    RELEASED = 11
    TAIL = 12
    ROOT = 13
    DIGEST = 14
    DRAFT = 15
    KEPT = 16
    RETURNING = 17
    SHELF = 18
    ORDER = 19


_PAGES = _Tag.PAGES.value


class ForeignImageError(EntryError):
    """Another version made the image: it is right, and of no use."""


def image_parts(memory: Memory) -> Iterator[bytes]:
    """Yield the parts of the image of what is in memory. Nothing may change before the last one."""
    portion: list[bytes] = []
    size = 0
    for row in fact_rows(memory):
        packed = pack(row)
        portion.append(packed)
        size += len(packed)
        if size >= _PORTION_BYTES:
            yield _part(portion)
            portion, size = [], 0
    if portion:
        yield _part(portion)
    yield from _pages(memory.projection)


def load_image(memory: Memory, parts: Iterable[bytes], *, is_truth: bool = False) -> None:
    """Take an image into an empty memory. Raises EntryError.

    ForeignImageError says that another version worked out what it shows. `is_truth` tells that nothing else knows
    what the image knows, as at the beginning of a compacted journal: it is worked out again then.
    """
    rest = iter(parts)
    rows = _rows(rest)
    head = next(rows, None)
    if head is None:
        raise EntryError("an image without a head")
    is_foreign = _take_head(memory, head)
    if is_foreign and not is_truth:
        raise ForeignImageError("an image of another version")
    for row in rows:
        if row[0] == _PAGES:
            pages = _joined(rest, row[1])
            if is_foreign:
                memory.rebuild(confirmed_in(pages))
            else:
                memory.projection.deserialize(pages)
            return
        # What the digests count follows from the records, if these are worked out again.
        if not (is_foreign and row[0] == _Tag.DIGEST.value):
            _take(memory, row)
    raise EntryError("an image without records")


def _rows(parts: Iterator[bytes]) -> Iterator[list[Any]]:
    for part in parts:
        yield from msgpack.unpackb(part)


def _pages(projection: Projection) -> Iterator[bytes]:
    """Yield how long the records are, as SQLite has them in its pages, and then these."""
    pages = projection.serialized()
    yield pack([[_PAGES, len(pages)]])
    for start in range(0, len(pages), _PAGES_BYTES):
        yield pages[start : start + _PAGES_BYTES]


def _joined(pieces: Iterator[bytes], size: int) -> bytearray:
    joined, at = bytearray(size), 0
    for piece in pieces:
        joined[at : at + len(piece)] = piece
        at += len(piece)
    if at != size:
        raise EntryError("an image with pages missing or left over")
    return joined


def _part(rows: list[bytes]) -> bytes:
    header: bytes = msgpack.Packer().pack_array_header(len(rows))
    return header + b"".join(rows)


def fact_rows(memory: Memory) -> Iterator[list[Value]]:
    """Yield what is in memory besides the records themselves, the head first."""
    yield [
        _Tag.HEAD.value,
        _VERSION,
        derivation() + LAYOUT,
        pack_enrolled(memory.enrolled) if memory.enrolled else None,
        standing_row(memory.standing) if memory.standing else None,
        memory.hlc,
        memory.counter,
        memory.server_ms,
        memory.contact_ms,
        offset_row(memory.offset),
        memory.repaired,
    ]
    yield from _rows_of_ops(memory)
    yield from _rows_of_records(memory)
    for scope, digest_class, count, total in memory.projection.digests():
        yield [_Tag.DIGEST.value, scope, digest_class, count, total.to_bytes(32, "big")]
    for draft in memory.drafts.values():
        for entry in entries_of(draft):
            yield [_Tag.DRAFT.value, pack_draft(entry)]


def _rows_of_ops(memory: Memory) -> Iterator[list[Value]]:
    for written in memory.pending.values():
        yield [_Tag.PENDING.value, pack_written(written)]
    for op, held in memory.held.items():
        yield [_Tag.HELD.value, held.incarnation, held.seq, held.code, held.field, pack_op(memory.held_ops[op])]
    for decided in memory.decided.values():
        yield [_Tag.DECIDED.value, pack_op(decided.op), decided.code, decision_rows([decided.decision])]
    for incarnation, note in memory.receipts.items():
        yield [_Tag.RECEIPT.value, receipt_row(incarnation, note)]
    for incarnation, (seq, head) in memory.tails.items():
        yield [_Tag.TAIL.value, incarnation, seq, head]
    for (incarnation, block), root in memory.salt_roots.items():
        yield [_Tag.ROOT.value, incarnation, block, root]
    for row in memory.kept.rows():
        yield [_Tag.KEPT.value, *row]
    yield from _rows_about_the_server(memory)


def _rows_about_the_server(memory: Memory) -> Iterator[list[Value]]:
    if memory.is_returning:
        yield [_Tag.RETURNING.value]
    if memory.order:
        yield [_Tag.ORDER.value, memory.order]
    for each in memory.shelf.values():
        yield [_Tag.SHELF.value, salvage_row(each)]


def _rows_of_records(memory: Memory) -> Iterator[list[Value]]:
    for record, op in memory.own.items():
        yield [_Tag.OWN.value, record, op.incarnation, op.seq]
    for resolution in memory.resolutions.values():
        yield [_Tag.RESOLUTION.value, *_resolution_row(resolution)]
    for each in memory.overruled.values():
        who = each.by, each.at_ms
        yield [_Tag.OVERRULED.value, each.record, each.field, each.key, each.mine, each.shown, *who]
    for tag, records in _marks(memory):
        for record in sorted(records):
            yield [tag.value, record]


def _marks(memory: Memory) -> tuple[tuple[_Tag, set[RecordId]], ...]:
    return (_Tag.SETTLED, memory.settled), (_Tag.PARTIAL, memory.partial), (_Tag.RELEASED, memory.released)


def _take_head(memory: Memory, row: list[Any]) -> bool:
    """Take the first row, and tell whether another version worked out what is shown."""
    match row:
        case [_Tag.HEAD.value, version, made_with, *rest] if version == _VERSION:
            enrolled, standing, hlc, memory.counter, server_ms, contact_ms, offset, memory.repaired = rest
        case _:
            raise EntryError("an image of a version that nobody knows")
    if enrolled is not None:
        memory.take_enrolment(read_enrolled(enrolled))
    memory.standing = read_standing(standing) if standing is not None else None
    memory.hlc, memory.offset = Hlc(hlc), read_offset(offset)
    memory.server_ms, memory.contact_ms = server_ms, contact_ms
    return bool(made_with != derivation() + LAYOUT)


def _take(memory: Memory, row: list[Any]) -> None:
    match row:
        case [_Tag.PENDING.value, written]:
            memory.restore_pending(read_written(written))
        case [_Tag.HELD.value, incarnation, seq, code, field, op]:
            memory.restore_held(HeldEntry(Incarnation(incarnation), seq, code, field), unpack_op(op))
        case [_Tag.DECIDED.value, packed, code, rows]:
            (decision,) = read_decisions(rows, memory.device)
            memory.decided[decision.op] = DecidedOp(unpack_op(packed), code, decision)
        case [_Tag.RECEIPT.value, receipt]:
            noted = read_receipt(receipt)
            assert noted is not None
            memory.receipts[noted[0]] = noted[1]
        case [_Tag.TAIL.value, incarnation, seq, head]:
            memory.tails[Incarnation(incarnation)] = seq, head
        case [_Tag.ROOT.value, incarnation, block, root]:
            memory.salt_roots[(Incarnation(incarnation), block)] = root
        case [_Tag.DIGEST.value, scope, digest_class, count, total]:
            memory.projection.load_digest(scope, digest_class, count, int.from_bytes(total, "big"))
        case [_Tag.DRAFT.value, entry]:
            memory.take_draft(read_draft(entry))
        case _:
            _take_about_the_server(memory, row)


def _take_about_the_server(memory: Memory, row: list[Any]) -> None:
    match row:
        case [_Tag.KEPT.value, packed, position, stamp, told_ms]:
            memory.kept.restore(packed, position, stamp, told_ms)
        case [_Tag.RETURNING.value]:
            memory.is_returning = True
        case [_Tag.ORDER.value, counter]:
            memory.order = counter
        case [_Tag.SHELF.value, packed]:
            salvage = salvage_of(Row(packed, "salvage"))
            memory.shelf[salvage.op] = salvage
        case _:
            _take_about_records(memory, row)


def _take_about_records(memory: Memory, row: list[Any]) -> None:
    record = RecordId(row[1])
    match row:
        case [_Tag.OWN.value, _, incarnation, seq]:
            memory.own[record] = OpId(memory.device, Incarnation(incarnation), seq)
        case [_Tag.RESOLUTION.value, *rest]:
            memory.resolutions[record] = _resolution(memory, record, rest[1:])
        case [_Tag.OVERRULED.value, _, field, key, mine, shown, *who]:
            # Images of older versions do not say who decided.
            memory.overruled[(record, field, key)] = Overruled(record, field, key, mine, shown, *who)
        case [tag, _]:
            dict(_marks(memory))[_Tag(tag)].add(record)
        case _:
            raise EntryError("a row that no image has")


def _resolution_row(resolution: Resolution) -> list[Value]:
    replaced: list[Value] = [
        [field, key, [_head_row(head) for head in heads]] for (field, key), heads in resolution.replaced.items()
    ]
    op = resolution.op
    return [resolution.record, op.incarnation, op.seq, resolution.kind, replaced, dict(resolution.classes)]


def _resolution(memory: Memory, record: RecordId, row: list[Any]) -> Resolution:
    incarnation, seq, kind, replaced, classes = row
    heads = {(field, key): tuple(_head(each) for each in rows) for field, key, rows in replaced}
    return Resolution(OpId(memory.device, Incarnation(incarnation), seq), record, kind, heads, classes)


def _head_row(head: Head) -> Value:
    return [*head.op, head.author, head.stamp, head.position, head.value]


def _head(row: list[Any]) -> Head:
    device, incarnation, seq, author, stamp, position, value = row
    return Head(OpId(device, incarnation, seq), UserId(author), Stamp(stamp), Position(position), value)
