"""Vectors of what is hashed and signed: ops, segments, the log, receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.clock import Stamp
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import OpId, Position
from gridlog_protocol.log_chain import EntryType, Ruling, decided_hash, gap_hash, log_next, log_start
from gridlog_protocol.messages import cursor_token
from gridlog_protocol.ops import Op, op_hash
from gridlog_protocol.receipts import Receipt, sign_receipt
from gridlog_protocol.segment import Segment, verify
from gridlog_protocol.segment_codec import read_segment, segment_row
from tools.vectors import cast
from tools.vectors.naming import Named, named, op_meaning, plain, segment_meaning

Kept = Mapping[str, bytes]
Path = tuple[int, ...]


def ops(_: Kept) -> list[Named]:
    """Ops and their hashes."""
    return [
        {"name": f"seq {each.id.seq}", "given": op_meaning(each), "meaning": named(op_hash=op_hash(each))}
        for each in (*cast.OPS, *cast.BLOCK_END)
    ]


def changed(value: Value, path: Path, element: Value) -> Value:
    """Return an array with one element replaced, or with one more if the path ends behind it."""
    assert isinstance(value, list)
    head, *rest = path
    inner = changed(value[head], tuple(rest), element) if rest else element
    return [*value[:head], inner, *value[head + 1 :]]


def segments(_: Kept) -> list[Named]:
    """Segment rows: what they say, whether their signature holds, and rows that are refused."""
    whole = cast.segment(cast.OPS)
    runs = {
        "every action, two records, two boots": whole,
        "one op": cast.segment(cast.OPS[:1]),
        "a later run": cast.segment(cast.OPS[2:5]),
        "two blocks of salts": cast.segment(cast.BLOCK_END),
        "texts as bytes and as arrays": cast.segment(cast.TEXTS),
    }
    vectors: list[Named] = []
    keys = named(tenant=cast.TENANT, device=cast.DEVICE, signing_key=_public(cast.DEVICE_SIGNING))
    for name, each in runs.items():
        said = segment_meaning(each)
        hashes: list[Value] = [*verify(each, tenant=cast.TENANT, key=cast.DEVICE_SIGNING.public_key())]
        meaning = said | named(op_hashes=hashes, chain_after=cast.chain_after(each.ops))
        vectors.append({"name": name, "given": keys, "bytes": pack(segment_row(each)).hex(), "meaning": meaning})
    row = segment_row(cast.segment(cast.OPS[:3]))
    wrong: dict[str, Value] = {
        "signed by another": segment_row(cast.segment(cast.OPS[:3], key=cast.FOREIGN_SIGNING)),
        "the chain before changed": changed(row, (2,), bytes(32)),
        "a value changed": segment_row(_with_other_value(cast.OPS[:3])),
        "no ops": changed(row, (7,), [[[[], b""], *([[]] * 12)], [], [], []]),
        "no salt root": changed(row, (5,), []),
        "a salt root of another block": changed(row, (5,), [[1, bytes(16)]]),
        "a short boot id": changed(row, (6,), [bytes(7)]),
        "no such boot": changed(row, (7, 0, 10), [0, 1, 0]),
        "not a record id": changed(row, (7, 0, 0), [[None, 0, 0], bytes(10)]),
        "the rest of an id in the place of an index": changed(row, (7, 0, 0), [[cast.OPS[0].record[6:], 0, 0], b""]),
        "a record of no earlier op": changed(row, (7, 0, 0), [[0, 0, 0], b""]),
        "a distance beside the index of an earlier op": changed(row, (7, 0, 1), [0, 1, 0]),
        "a record before 1970": changed(row, (7, 0, 1), [-(1 << 46), 0, 0]),
        "an unknown intent": changed(row, (7, 0, 4), [9, 1, 1]),
        "a clock before 1970": changed(row, (7, 0, 7), [-1, 0, 0]),
        "an own op before the first": changed(row, (7, 0, 6), [1, 0, 0]),
        "texts in an array": changed(row, (7, 0, 2), ["patrol", "patrol", "patrol"]),
        "texts that are not GB 18030": changed(row, (7, 3, 1), b"\xff"),
        "a character whose code changed": changed(row, (7, 3, 1), b"\xa6\xd9"),
        "an unknown action": changed(row, (7, 1, 0, 1), 4),
        "an edit not in its shortest form": changed(
            row, (7, 1, 0), ["summary", 0, 2, "phone", 16, 1, "companions", 1, 2]
        ),
        "a form that is not there": changed(row, (7, 2), [0, 1, 9]),
        "values left over": changed(row, (7, 2), [0, 1, 1]),
        "an element too many": changed(row, (9,), None),
    }
    for name, value in wrong.items():
        vectors.append({"name": name, "given": keys, "bytes": pack(value).hex(), "refused": _segment_refusal(value)})
    return vectors


def _segment_refusal(value: Value) -> str:
    try:
        read = read_segment(unpack(pack(value)), cast.DEVICE)
        verify(read, tenant=cast.TENANT, key=cast.DEVICE_SIGNING.public_key())
    except ProtocolError as refused:
        return refused.code
    raise AssertionError("a segment that was to be refused is accepted")


def _with_other_value(run: tuple[Op, ...]) -> Segment:
    signed = cast.segment(run)
    other = replace(run[0], edits=(run[0].edits[0]._replace(value="楼道畅通。"), *run[0].edits[1:]))
    return replace(signed, ops=(other, *run[1:]))


def receipts(_: Kept) -> list[Named]:
    """Take the log's hashes for every type of entry, tokens of cursors, and signed receipts."""
    link = log_start(cast.TENANT, cast.EPOCH)
    vectors: list[Named] = [
        {
            "name": "the log begins",
            "given": named(tenant=cast.TENANT, epoch=cast.EPOCH),
            "meaning": named(log_hash=link, token=cursor_token(cast.EPOCH, link)),
        }
    ]
    ruling = Ruling("督导 陈", cast.SERVER_MS, "与现场一致，准予生效。", Position(0))
    gap = gap_hash(4, 6, cast.chain_before(cast.BLOCK_END))
    said = {
        EntryType.ACCEPTED: op_hash(cast.OPS[0]),
        EntryType.RELEASED: op_hash(cast.OPS[1]),
        EntryType.REJECTED: op_hash(cast.OPS[2]),
        EntryType.GAP_CLOSED: gap,
    }
    for position, (entry_type, of_what) in enumerate(said.items(), 1):
        is_decision = entry_type is not EntryType.ACCEPTED
        hashed = decided_hash(of_what, ruling) if is_decision else of_what
        stamp = cast.OPS[0].clock.hlc if entry_type in (EntryType.ACCEPTED, EntryType.RELEASED) else 0
        seq = 6 if entry_type is EntryType.GAP_CLOSED else position
        after = log_next(
            link,
            position=Position(position),
            entry_type=entry_type,
            op=OpId(cast.DEVICE, cast.INCARNATION, seq),
            op_hash=hashed,
            stamp=Stamp(stamp),
        )
        given = named(
            before=link,
            position=position,
            entry_type=int(entry_type),
            device=cast.DEVICE,
            incarnation=cast.INCARNATION,
            seq=seq,
            stamp=stamp,
            epoch=cast.EPOCH,
        )
        decided = named(by=ruling.by, at_ms=ruling.at_ms, reason=ruling.reason, follows=ruling.follows)
        if entry_type is EntryType.GAP_CLOSED:
            closed = named(first_seq=4, last_seq=6, chain_after=cast.chain_before(cast.BLOCK_END))
            given |= {"gap": closed, "decision": decided}
        elif is_decision:
            given |= {"op_hash": plain(of_what), "decision": decided}
        else:
            given |= {"op_hash": plain(of_what)}
        meaning = named(log_hash=after, token=cursor_token(cast.EPOCH, after))
        vectors.append({"name": entry_type.name.lower().replace("_", " "), "given": given, "meaning": meaning})
        link = after
    return [*vectors, *_signed_receipts(link)]


def _signed_receipts(log_hash: bytes) -> list[Named]:
    receipt = Receipt(
        cast.TENANT,
        cast.DEVICE,
        cast.INCARNATION,
        8,
        cast.chain_after(cast.OPS),
        Position(4),
        log_hash,
        cast.SERVER_MS,
    )
    signature = sign_receipt(receipt, cast.SERVER_SIGNING)
    vectors = []
    for name, said, signed in (
        ("a receipt", receipt, signature),
        ("a receipt for more than was signed", replace(receipt, up_to_seq=9), signature),
        ("a receipt of another life", replace(receipt, incarnation=cast.OTHER_INCARNATION), signature),
        ("a receipt signed by another", receipt, sign_receipt(receipt, cast.FOREIGN_SIGNING)),
    ):
        given = named(
            tenant=said.tenant,
            device=said.device,
            incarnation=said.incarnation,
            up_to_seq=said.up_to_seq,
            chain_head=said.chain_head,
            log_position=said.log_position,
            log_hash=said.log_hash,
            server_ms=said.server_ms,
            signature=signed,
            signing_key=_public(cast.SERVER_SIGNING),
        )
        verdict: Named = (
            {"meaning": named(number=said.number)} if name == "a receipt" else {"refused": "bad_signature"}
        )
        vectors.append({"name": name, "given": given, **verdict})
    return vectors


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
