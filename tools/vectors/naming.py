"""What things mean, in JSON: every part under the name that the wire specification gives it, bytes as hex."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import OpId
from gridlog_protocol.messages import (
    EnrolRequest,
    EnrolResponse,
    Message,
    Page,
    Refused,
    SyncRequest,
    SyncResponse,
)
from gridlog_protocol.ops import Edit, Op
from gridlog_protocol.segment import Segment
from gridlog_protocol.state import Cell, Covered, RecordState, is_ending

Named: TypeAlias = "dict[str, Value]"


def plain(value: Value) -> Value:
    """Return a value for JSON: bytes as {"hex": ...}."""
    match value:
        case bytes():
            return {"hex": value.hex()}
        case list():
            return [plain(each) for each in value]
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case _:
            return value


def named(**parts: Value) -> Named:
    """Name some parts; `class_` is written `class`."""
    return {name.rstrip("_"): plain(value) for name, value in parts.items()}


def op_meaning(op: Op) -> Named:
    """Name the parts of an op."""
    clock, seen = op.clock, op.seen
    return {
        **_op_id(op.id),
        **named(
            author=op.author,
            record=op.record,
            kind=op.kind,
            schema=op.schema,
            intent=int(op.intent),
            seen=named(epoch=seen.epoch, position=seen.position, own_seq=seen.own_seq),
            clock=named(
                hlc=clock.hlc,
                wall_ms=clock.wall_ms,
                boot=clock.boot,
                monotonic_ms=clock.monotonic_ms,
                server_ms=clock.server_ms,
            ),
            edits=[edit_meaning(edit) for edit in op.edits],
            salt=op.salt,
        ),
    }


def edit_meaning(edit: Edit) -> Named:
    """Name the parts of an edit."""
    return named(field=edit.field, action=int(edit.action), key=edit.key, value=edit.value, class_=edit.digest_class)


def segment_meaning(segment: Segment) -> Named:
    """Name the parts of a segment."""
    return named(
        incarnation=segment.incarnation,
        first_seq=segment.first_seq,
        chain_before=segment.chain_before,
        epoch=segment.epoch,
        author=segment.author,
        roots=[[block, root] for block, root in sorted(segment.roots.items())],
        ops=[op_meaning(op) for op in segment.ops],
        signature=segment.signature,
    )


def record_meaning(record: RecordState) -> Named:
    """Name the parts of a record's state."""
    made = record.origin
    fields: Named = {}
    for name, field in sorted(record.fields.items()):
        cells: Named = {key: _cell(name, key, cell) for key, cell in sorted(field.cells.items())}
        fields[name] = named(class_=field.digest_class, changed=field.changed, cells=cells)
    return {
        **named(record=record.id, kind=record.kind, schema=record.schema),
        "origin": None if made is None else {**_op_id(made.op), **named(author=made.author, wall_ms=made.wall_ms)},
        "fields": fields,
    }


def message_meaning(message: Message) -> Named:
    """Name the parts of a message."""
    match message:
        case EnrolRequest():
            return named(
                message=1,
                code_secret=message.secret,
                device=message.device,
                signing_key=message.signing_key,
                exchange_key=message.exchange_key,
                model=message.model,
                app_version=message.app,
            )
        case EnrolResponse():
            return named(
                message=2,
                handle=message.handle,
                tenant=message.tenant,
                tenant_name=message.tenant_name,
                user=message.user,
                user_name=message.user_name,
                epoch=message.epoch,
                scopes=[*message.scopes],
                generation=message.generation,
                server_ms=message.server_ms,
                recovery_key=message.recovery_key,
            )
        case SyncRequest():
            return _request(message)
        case SyncResponse():
            return _response(message)
        case Refused():
            return named(message=9, code=message.code, detail=message.detail)


def _request(message: SyncRequest) -> Named:
    clock = message.clock
    return named(
        message=3,
        counter=message.counter,
        token=message.token,
        position=message.position,
        generation=message.generation,
        segments=[segment_meaning(each) for each in message.segments],
        fetches=[named(scope=each.scope, as_of=each.as_of, after=each.after) for each in message.fetches],
        status=None if message.status is None else dict(message.status),
        clock=None
        if clock is None
        else named(
            hlc=clock.hlc,
            wall_ms=clock.wall_ms,
            boot=clock.boot,
            monotonic_ms=clock.monotonic_ms,
            server_ms=clock.server_ms,
        ),
        extras=dict(message.extras),
    )


def _response(message: SyncResponse) -> Named:
    receipt = message.receipt
    return named(
        message=4,
        server_ms=message.server_ms,
        epoch=message.epoch,
        token=message.token,
        from_=message.from_position,
        to=message.to_position,
        generation=message.generation,
        digest=message.digest,
        has_more=message.has_more,
        known_seq=message.known_seq,
        accepted=[
            named(
                first_seq=run.first_seq,
                count=run.count,
                first_position=run.first_position,
                stamps=[[offset, stamp] for offset, stamp in sorted(run.stamps.items())],
            )
            for run in message.accepted
        ],
        held=[named(seq=each.seq, code=each.code, field=each.field) for each in message.held],
        records=_records(message.changes),
        left=[*message.left],
        pages=[_page(page) for page in message.pages],
        receipt=None
        if receipt is None
        else named(
            up_to_seq=receipt.up_to_seq,
            log_position=receipt.log_position,
            log_hash=receipt.log_hash,
            server_ms=receipt.server_ms,
            signature=receipt.signature,
        ),
        directives=[
            named(counter=each.counter, name=each.name, facts=dict(each.facts)) for each in message.directives
        ],
        extras=dict(message.extras),
    )


def _page(page: Page) -> Named:
    return named(scope=page.scope, as_of=page.as_of, after=page.after, records=_records(page.records))


def _records(records: Iterable[RecordState]) -> list[Value]:
    return [record_meaning(record) for record in records]


def _op_id(op: OpId) -> Named:
    return named(device=op.device, incarnation=op.incarnation, seq=op.seq)


def _cell(name: str, key: str, cell: Cell) -> Named:
    heads: list[Value] = [
        {
            **_op_id(head.op),
            **named(author=head.author, stamp=head.stamp, position=head.position, value=head.value),
        }
        for head in cell.heads
    ]
    is_end = any(is_ending(name, key, head.value) for head in cell.heads)
    return {"heads": heads, **({"covered": _covered(cell.covered)} if is_end else {})}


def _covered(covered: Covered) -> Named:
    own: Mapping[tuple[bytes, bytes], int] = {(bytes(d), bytes(i)): seq for (d, i), seq in covered.own.items()}
    rows: list[Value] = [[device, incarnation, seq] for (device, incarnation), seq in sorted(own.items())]
    return named(position=covered.position, own=rows)
