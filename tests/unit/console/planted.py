"""Sentences in every field of every kind that people write into: what must never come where it does not belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Field, Kind
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.ops import Edit
from tests.unit.server.building import KINDS, Handset, Server, put

SUBMITTED: Value = [0, "submitted"]


def sentence(kind: Kind, field: Field) -> str:
    """Return a sentence that stands nowhere else."""
    return f"植入{kind.name}之{field.name}句"


def text_fields(kind: Kind) -> Iterator[Field]:
    """Yield the fields of a kind that hold what somebody wrote, but for those that say where it belongs."""
    for field in kind.fields.values():
        if field.from_op or field.name in ("grid_code", "state", "review_state"):
            continue
        if isinstance(field.type, types.Words) and field.merge.name not in ("SERVER", "DERIVED", "RANK", "COUNTER"):
            yield field


async def plant(
    server: Server, handset: Handset, written: Callable[[Kind, Field], str] = sentence
) -> dict[RecordId, list[str]]:
    """Write a record of each kind, with a text in each of its fields that hold one; return what stands where."""
    found: dict[RecordId, list[str]] = {}
    for kind in KINDS:
        texts = {field.name: written(kind, field) for field in text_fields(kind)}
        edits = [_edit(kind.fields[name], text) for name, text in texts.items()]
        op = handset.creates(put("review_state", SUBMITTED), *edits, kind=kind.name)
        await server.exchanged(handset, op)
        found[op.record] = [*texts.values()]
    return found


def _edit(field: Field, text: str) -> Edit:
    return put(field.name, text, digest_class=field.sensitivity.digest_class)
