"""Vectors of what two replicas compare: digests, and the dialogue that repairs."""

from __future__ import annotations

from collections.abc import Mapping

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import RecordId, ScopeId, record_id
from gridlog_protocol.repair import (
    Bodies,
    Details,
    Overview,
    answer_row,
    question_row,
    read_answer,
    read_question,
)
from gridlog_sync.digest import SetDigest, combined, leaves
from gridlog_sync.reconcile import children, fingerprint, overview, place
from tools.vectors import cast
from tools.vectors.evidence import changed
from tools.vectors.naming import Named, named, record_meaning

Kept = Mapping[str, bytes]
SCOPES = (ScopeId("420106001001001"), ScopeId("tenant"))


def digests(_: Kept) -> list[Named]:
    """Take records in scopes: their leaves, their fingerprints for repair, the sums and the digest."""
    patrol, visit, part = cast.record_states()
    vectors: list[Named] = []
    for name, of_scope in (
        ("nothing", {SCOPES[0]: []}),
        ("one record", {SCOPES[0]: [patrol]}),
        ("two records", {SCOPES[0]: [patrol, visit]}),
        ("two scopes", {SCOPES[1]: [part], SCOPES[0]: [visit]}),
    ):
        sets: dict[tuple[ScopeId, int], SetDigest] = {}
        shown: list[Value] = []
        for scope, records in of_scope.items():
            for record in records:
                found = leaves(record)
                for digest_class, leaf in found.items():
                    key = scope, digest_class
                    sets[key] = sets.get(key, SetDigest()).plus(leaf)
                rows: list[Value] = [[each, leaf.to_bytes(32, "big")] for each, leaf in sorted(found.items())]
                shown.append(named(record=record.id, leaves=rows, fingerprint=fingerprint(found).to_bytes(8, "big")))
        sums: list[Value] = [
            named(scope=scope, class_=each, count=digest.count, sum=digest.total.to_bytes(32, "big"))
            for (scope, each), digest in sorted(sets.items())
        ]
        given: Named = {scope: [record_meaning(record) for record in records] for scope, records in of_scope.items()}
        meaning: Named = {"records": shown, "sums": sums, **named(digest=combined(sets))}
        vectors.append({"name": name, "given": given, "meaning": meaning})
    return vectors


def repairs(_: Kept) -> list[Named]:
    """Questions and answers of repair, and the sums that fingerprints make."""
    mine = {
        record_id(cast.START_MS + at, bytes(9) + bytes([at])): (0x1D11 << 48) * (at + 1) % (1 << 64)
        for at in range(20)
    }
    theirs = {**mine, next(iter(mine)): 5}
    asked = overview(mine)
    answered = children(asked, theirs)
    first = next(iter(mine))
    listed = Details(1, {place(first, 1): {first: mine[first]}, 3: {}})
    patrol, visit, _part = cast.record_states()
    bodies = Bodies((patrol, visit), (RecordId(record_id(cast.START_MS, bytes(10))),))
    deep = Overview(1, overview_sums(mine, 1))
    vectors: list[Named] = [
        _sums("overview", question_row(asked), mine, asked.depth),
        _sums("overview of sixteen ranges", question_row(deep), mine, 1),
        {
            "name": "children",
            "bytes": pack(answer_row(answered)).hex(),
            "given": _fingerprints(theirs),
            "meaning": named(
                row=3, depth=answered.depth, ranges=[[index, sums] for index, sums in sorted(answered.ranges.items())]
            ),
        },
        {
            "name": "details",
            "bytes": pack(question_row(listed)).hex(),
            "meaning": named(
                row=2,
                depth=1,
                ranges=[
                    [index, [[record, each.to_bytes(8, "big")] for record, each in sorted(found.items())]]
                    for index, found in sorted(listed.ranges.items())
                ],
            ),
        },
        {
            "name": "bodies",
            "bytes": pack(answer_row(bodies)).hex(),
            "meaning": {
                **named(row=4, dropped=[*bodies.dropped]),
                "records": [record_meaning(record) for record in bodies.records],
            },
        },
    ]
    return [*vectors, *_refused(question_row(deep), answer_row(answered), answer_row(bodies))]


def overview_sums(mine: Mapping[RecordId, int], depth: int) -> bytes:
    """Return the sums of all ranges at a depth."""
    sums = [0] * 16**depth
    for record, each in mine.items():
        sums[place(record, depth)] += each
    return b"".join((each % (1 << 64)).to_bytes(8, "big") for each in sums)


def _refused(deep: Value, answered: Value, bodies: Value) -> list[Named]:
    wrong: dict[str, Value] = {
        "an overview with a sum too few": changed(deep, (2,), bytes(8 * 15)),
        "an overview deeper than five": [1, 6, b""],
        "an unknown row": [5, 0, []],
        "children of a range that is not there": changed(answered, (2,), [[16, bytes(128)]]),
        "children with a sum too few": changed(answered, (2,), [[0, bytes(120)]]),
        "bodies that drop no id": changed(bodies, (3,), [bytes(15)]),
        "bodies by nobody": changed(bodies, (1,), []),
    }
    vectors: list[Named] = []
    for name, value in wrong.items():
        try:
            assert isinstance(value, list)
            again = unpack(pack(value))
            _ = read_question(again) if value[0] in (1, 2) else read_answer(again)
        except ProtocolError as refused:
            vectors.append({"name": name, "bytes": pack(value).hex(), "refused": refused.code})
        else:
            raise AssertionError(name)
    return vectors


def _fingerprints(mine: Mapping[RecordId, int]) -> Named:
    return named(fingerprints=[[record, each.to_bytes(8, "big")] for record, each in mine.items()])


def _sums(name: str, row: Value, mine: Mapping[RecordId, int], depth: int) -> Named:
    meaning = named(row=1, depth=depth, sums=overview_sums(mine, depth))
    return {"name": name, "bytes": pack(row).hex(), "given": _fingerprints(mine), "meaning": meaning}
