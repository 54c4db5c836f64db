"""What two replicas say to each other when their digests differ: which parts of a set of records are unlike.

A record's place is the SHA-256 of its id, read in hex digits: each digit splits a range sixteen ways. A range's sum
is the sum modulo 2^64 of its records' fingerprints. Question and answer travel in `extras` under `repair`, so that a
peer without repair leaves them alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .canonical import Value
from .ids import RecordId
from .rows import Row, reading
from .state import RecordState
from .state_codec import Authors, read_records, records_value

EXTRA = "repair"
"""The key of `extras` under which the dialogue travels."""

SUM_BYTES = 8
FAN = 16
DEPTH_MAX = 5
PARTS_MAX = 1 << 16
_OVERVIEW, _DETAILS, _CHILDREN, _BODIES = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Overview:
    """Device: the sums of all 16^depth ranges, in order, 8 bytes each."""

    depth: int
    sums: bytes


@dataclass(frozen=True, slots=True)
class Children:
    """Server: for each range of the overview that differs, the sums of its sixteen children (128 bytes)."""

    depth: int
    ranges: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Details:
    """Device: for each child range that differs, the fingerprints of the records it holds there."""

    depth: int
    ranges: Mapping[int, Mapping[RecordId, int]]


@dataclass(frozen=True, slots=True)
class Bodies:
    """Server: whole records that the device lacks or has otherwise, and those that it should not have."""

    records: tuple[RecordState, ...]
    dropped: tuple[RecordId, ...]


RepairQuestion: TypeAlias = Overview | Details
RepairAnswer: TypeAlias = Children | Bodies


def question_row(question: RepairQuestion) -> Value:
    """Write a question."""
    match question:
        case Overview():
            return [_OVERVIEW, question.depth, question.sums]
        case Details():
            ranges: list[Value] = []
            for index, records in sorted(question.ranges.items()):
                listed: list[Value] = []
                for record, fingerprint in sorted(records.items()):
                    listed += [record, fingerprint.to_bytes(SUM_BYTES, "big")]
                ranges.append([index, listed])
            return [_DETAILS, question.depth, ranges]


def read_question(value: Value) -> RepairQuestion:
    """Read a question. Raises ProtocolError `malformed`."""
    with reading(value, "repair question") as row:
        tag = row.whole(low=_OVERVIEW, high=_DETAILS)
        depth = row.whole(high=DEPTH_MAX)
        if tag == _OVERVIEW:
            return Overview(depth, row.blob(SUM_BYTES * FAN**depth))
        ranges: dict[int, Mapping[RecordId, int]] = {}
        for each in row.rows("range", PARTS_MAX):
            index = each.whole(high=FAN**depth - 1)
            flat = Row(each.items(PARTS_MAX), "records of a range")
            records: dict[RecordId, int] = {}
            while flat.has_more:
                record = RecordId(flat.blob(16))
                records[record] = int.from_bytes(flat.blob(SUM_BYTES), "big")
            each.end()
            ranges[index] = records
        return Details(depth, ranges)


def answer_row(answer: RepairAnswer) -> Value:
    """Write an answer."""
    match answer:
        case Children():
            return [_CHILDREN, answer.depth, [[index, sums] for index, sums in sorted(answer.ranges.items())]]
        case Bodies():
            authors = Authors()
            records = records_value(answer.records, authors)
            return [_BODIES, authors.table(), records, [*answer.dropped]]


def read_answer(value: Value) -> RepairAnswer:
    """Read an answer. Raises ProtocolError `malformed`."""
    with reading(value, "repair answer") as row:
        if row.whole(low=_CHILDREN, high=_BODIES) == _CHILDREN:
            depth = row.whole(high=DEPTH_MAX)
            ranges: dict[int, bytes] = {}
            for each in row.rows("range", PARTS_MAX):
                index = each.whole(high=FAN**depth - 1)
                ranges[index] = each.blob(SUM_BYTES * FAN)
                each.end()
            return Children(depth, ranges)
        authors = Authors.read(row, base_position=0)
        records = read_records(row.value(), authors)
        dropped = tuple(RecordId(Row([each], "record").blob(16)) for each in row.items(PARTS_MAX))
        return Bodies(records, dropped)
