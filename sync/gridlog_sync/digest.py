"""Content digests of sets of records: two replicas of a scope are equal if and only if these are, accidents aside.

A record's leaf is a SHA-256 over its id and canonical heads, one leaf for each class of fields. A set's digest is a
count and the sum of its leaves modulo 2^256, so one change costs one subtraction and one addition. It covers no
positions (they differ after a restore), nothing pending and nothing held. It finds accidents; signatures deal with
adversaries: a sum of hashes can be forged by whoever may write many records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridlog_protocol.canonical import Value, pack, pack_settled, settled
from gridlog_protocol.clock import COUNTER_BITS
from gridlog_protocol.ids import RecordId, ScopeId
from gridlog_protocol.state import CLASSES, Cell, RecordState

_MODULUS = 1 << 256
COMBINED_BYTES = 16


@dataclass(frozen=True, slots=True)
class SetDigest:
    """The digest of one set: how many leaves, and their sum."""

    count: int = 0
    total: int = 0

    def plus(self, leaf: int) -> SetDigest:
        """Return the digest with one leaf more."""
        return SetDigest(self.count + 1, (self.total + leaf) % _MODULUS)

    def minus(self, leaf: int) -> SetDigest:
        """Return the digest with one leaf less."""
        return SetDigest(self.count - 1, (self.total - leaf) % _MODULUS)

    def shifted(self, count: int, total: int) -> SetDigest:
        """Return the digest with `count` leaves more, or fewer, that sum up to `total`."""
        return SetDigest(self.count + count, (self.total + total) % _MODULUS)


EMPTY = SetDigest()


def leaves(record: RecordState) -> dict[int, int]:
    """Return a record's leaf for each class in which it has fields."""
    classes: dict[int, list[Value]] = {}
    for name, field in sorted(record.fields.items()):
        of_class = classes.setdefault(field.digest_class, [])
        cells = field.cells.items() if len(field.cells) < 2 else sorted(field.cells.items())
        rows: list[Value] = [[key, _heads(cell)] for key, cell in cells if cell.heads]
        if rows:
            of_class.append([name, rows])
    return {each: leaf_of(record.id, each, classes[each]) for each in CLASSES if each in classes}


def leaves_at_rest(stored: Any) -> dict[int, int]:
    """Return the leaves of a record of which `stored_row` has the rows already: heads and values stand in order."""
    _, table, (record, _, _, _, writes, fields) = stored
    heads = [
        [*table[author][:2], seq, -behind_ms << COUNTER_BITS | counter]
        for author, seq, behind_ms, counter, _ in writes
    ]
    classes: dict[int, list[Value]] = {}
    for name, digest_class, _, cells in fields:
        of_class = classes.setdefault(digest_class, [])
        rows: list[Value] = [
            [cells[at], [[*heads[said[each]], said[each + 1]] for each in range(0, len(said), 2)]]
            for at in range(0, len(cells), 3)
            if (said := cells[at + 1])
        ]
        if rows:
            of_class.append([name, rows])
    return {each: leaf_of(record, each, classes[each]) for each in CLASSES if each in classes}


def combined(digests: Mapping[tuple[ScopeId, int], SetDigest]) -> bytes:
    """Return the 16 bytes that stand for all (scope, class) sets of a device. Empty sets do not count."""
    rows: list[Value] = [
        [scope, digest_class, digest.count, digest.total.to_bytes(32, "big")]
        for (scope, digest_class), digest in sorted(digests.items())
        if digest.count
    ]
    return hashlib.sha256(b"gridlog v1 digest" + pack(rows)).digest()[:COMBINED_BYTES]


def _heads(cell: Cell) -> list[Value]:
    return [
        [head.op.device, head.op.incarnation, head.op.seq, head.stamp, settled(head.value)] for head in cell.heads
    ]


def leaf_of(record: RecordId, digest_class: int, fields: list[Value]) -> int:
    """Return the leaf of a record's fields of one class: by name, each with its cells by key, each with its heads."""
    content = pack_settled([record, digest_class, fields])
    return int.from_bytes(hashlib.sha256(b"gridlog v1 leaf" + content).digest(), "big")
