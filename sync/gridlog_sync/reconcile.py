"""Range-based repair: find the few records in which two replicas of the same scopes differ, by comparing sums.

    device                                        server
    overview: sums of 16^d ranges      ────►      which ranges differ?
    which children differ?             ◄────      children: 16 sums for each such range
    details: ids and fingerprints      ────►      which records differ?
    replace, drop, compare digests     ◄────      bodies: whole records, and names to drop

Two round trips, three if more differs than fits. Never a reset: nothing pending is touched, and what is equal does
not travel. Source: Meyer, "Range-Based Set Reconciliation" (2022), with fixed sixteen-way splits of hashed ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from gridlog_protocol.ids import RecordId
from gridlog_protocol.repair import DEPTH_MAX, FAN, SUM_BYTES, Children, Details, Overview

_MODULUS = 1 << (8 * SUM_BYTES)
_RECORDS_PER_RANGE = 256
"""Ranges are made so small that about so many records fall into one: it balances sums against listed ids."""
_RANGES_MAX = 256
"""Differing ranges that one answer goes into; the rest wait for the next round."""

Fingerprints = Mapping[RecordId, int]


def fingerprint(leaves: Mapping[int, int]) -> int:
    """Return the 64 bits that stand for a record in repair, from its digest leaves by class."""
    whole = b"".join(bytes([each]) + leaf.to_bytes(32, "big") for each, leaf in sorted(leaves.items()))
    return int.from_bytes(hashlib.sha256(b"gridlog v1 repair" + whole).digest()[:SUM_BYTES], "big")


def overview(mine: Fingerprints) -> Overview:
    """Return the device's first question."""
    depth = 0
    while depth < DEPTH_MAX - 1 and FAN**depth * _RECORDS_PER_RANGE < len(mine):
        depth += 1
    return Overview(depth, _packed(_sums(mine.items(), depth)))


def children(question: Overview, mine: Fingerprints) -> Children:
    """Return the server's answer: sums of the children of every range that differs."""
    ours = _sums(mine.items(), question.depth)
    theirs = _unpacked(question.sums)
    differing = [index for index, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
    fine = _sums(mine.items(), question.depth + 1)
    taken = differing[:_RANGES_MAX]
    return Children(question.depth, {index: _packed(fine[index * FAN : (index + 1) * FAN]) for index in taken})


def details(answer: Children, mine: Fingerprints) -> Details:
    """Return the device's second question: what it holds in every child range that differs."""
    depth = answer.depth + 1
    fine = _sums(mine.items(), depth)
    wanted = {
        index * FAN + child
        for index, sums in answer.ranges.items()
        for child, theirs in enumerate(_unpacked(sums))
        if fine[index * FAN + child] != theirs
    }
    ranges: dict[int, dict[RecordId, int]] = {index: {} for index in wanted}
    for record, each in mine.items():
        index = place(record, depth)
        if index in ranges:
            ranges[index][record] = each
    return Details(depth, ranges)


def differences(question: Details, mine: Fingerprints) -> tuple[list[RecordId], list[RecordId]]:
    """Return the records that the device lacks or has otherwise, and those that it should not have."""
    theirs = {record: each for records in question.ranges.values() for record, each in records.items()}
    ours = {record: each for record, each in mine.items() if place(record, question.depth) in question.ranges}
    wanted = sorted(record for record, each in ours.items() if theirs.get(record) != each)
    return wanted, sorted(set(theirs) - set(ours))


def place(record: RecordId, depth: int) -> int:
    """Return the range of a record at a depth: the first `depth` hex digits of the hash of its id."""
    return int.from_bytes(hashlib.sha256(record).digest()[:SUM_BYTES], "big") >> (8 * SUM_BYTES - 4 * depth)


def _sums(fingerprints: Iterable[tuple[RecordId, int]], depth: int) -> list[int]:
    sums = [0] * FAN**depth
    for record, each in fingerprints:
        index = place(record, depth)
        sums[index] = (sums[index] + each) % _MODULUS
    return sums


def _packed(sums: Iterable[int]) -> bytes:
    return b"".join(each.to_bytes(SUM_BYTES, "big") for each in sums)


def _unpacked(sums: bytes) -> list[int]:
    return [int.from_bytes(sums[at : at + SUM_BYTES], "big") for at in range(0, len(sums), SUM_BYTES)]
