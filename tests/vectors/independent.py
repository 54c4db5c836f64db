"""A reader of the wire, written from protocol/README.md alone: it shares no line with Gridlog.

Whoever writes a handheld in another language can read it beside the page: functions bear the numbers of its sections.
Meanings are JSON as in protocol/vectors: named parts, bytes as {"hex": ...}.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from typing import Any

import zstandard
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from tests.vectors.independent_values import (
    BODY_BYTES_MAX,
    COUNT_MAX,
    MESSAGE_BYTES_MAX,
    OPS_MAX,
    SEQ_MAX,
    TIME_MAX,
    WINDOW_MAX,
    WORD,
    RefusedError,
    Row,
    need,
    pack,
    sha256,
    whole,
)

# 3. and 4. Clocks, ops, salts, chains.


def record_id(raw: bytes) -> bytes:
    need(raw[6] >> 4 == 7 and raw[8] >> 6 == 2)
    return raw


def op_salt(root: bytes, seq: int) -> bytes:
    return hmac.digest(root, b"gridlog v1 op salt" + seq.to_bytes(8, "big"), "sha256")[:16]


def edit_salt(salt: bytes, index: int) -> bytes:
    return hmac.digest(salt, b"gridlog v1 edit salt" + index.to_bytes(2, "big"), "sha256")[:16]


def commitment(salt: bytes, key: str, value: Any) -> bytes:
    return sha256(b"gridlog v1 commitment", salt, pack([key, value]))


def op_hash(op: dict[str, Any]) -> bytes:
    edits = []
    for index, edit in enumerate(op["edits"]):
        code = edit["action"] | edit["class"] << 4
        if edit["class"]:
            hidden = commitment(edit_salt(op["salt"], index), edit["key"], edit["value"])
            edits.append([edit["field"], code, hidden])
        else:
            edits.append([edit["field"], code, edit["key"], edit["value"]])
    names = ("device", "incarnation", "seq", "author", "record", "kind", "schema", "intent")
    seen, clock = op["seen"], op["clock"]
    said = [op[name] for name in names]
    said += [[seen["epoch"], seen["position"], seen["own_seq"]]]
    said += [[clock[name] for name in ("hlc", "wall_ms", "boot", "monotonic_ms", "server_ms")], edits]
    return sha256(b"gridlog v1 op", pack(said))


def verified(key: bytes, signature: bytes, signed: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        raise RefusedError("bad_signature") from None


def verify_segment(segment: dict[str, Any], *, tenant: str, device: bytes, key: bytes) -> dict[str, Any]:
    hashes = [op_hash(op) for op in segment["ops"]]
    after = segment["chain_before"]
    for each in hashes:
        after = sha256(after, each)
    said = [tenant, device, segment["incarnation"], segment["epoch"], segment["first_seq"], len(hashes)]
    signed = b"gridlog v1 segment" + pack([*said, segment["chain_before"], after])
    verified(key, segment["signature"], signed)
    return segment | {"op_hashes": hashes, "chain_after": after}


# 5. Segments.


CHANGED_CODES = re.compile(
    "[\u1e3f\u9fb4-\u9fbb\ue000-\uf8ff\ufe10-\ufe19\U00020087\U00020089\U000200cc\U000215d7\U0002298f\U000241fe]"
)


def column(value: Any, count_max: int) -> list[Any]:
    if isinstance(value, bytes):
        need(value.count(0) < count_max)
        try:
            text = value.decode("gb18030")
        except UnicodeDecodeError:
            raise RefusedError from None
        need(not CHANGED_CODES.search(text) and text.encode("gb18030") == value)
        return list(text.split("\0"))
    need(isinstance(value, list) and len(value) <= count_max)
    joined = "".join(value) if value and all(isinstance(each, str) for each in value) else "\0"
    need("\0" in joined or CHANGED_CODES.search(joined))
    return list(value)


def columns(
    row: Row, first: Callable[[Row, int], list[Any]], count: int, rows_max: int
) -> tuple[list[list[Any]], list[Any], list[Any]]:
    """Return the columns, the forms, and for each row its form."""
    written = row.items(count)
    need(len(written) == count)
    found = [whole(written[0], lambda each: first(each, rows_max))]
    found += [column(each, rows_max) for each in written[1:]]
    need(len({len(column) for column in found}) == 1)
    forms = row.items(rows_max)
    which = [Row([index]).number(high=len(forms) - 1) for index in row.items(rows_max)]
    need(len(which) == len(found[0]))
    return found, forms, which


def values_of(row: Row, names: Iterable[str]) -> dict[str, Row]:
    """Return for each field, in the order of first naming, the values that stand in line."""
    distinct = list(dict.fromkeys(names))
    lists = row.items()
    need(len(lists) == len(distinct))
    found, left = {}, COUNT_MAX
    for name, values in zip(distinct, lists, strict=True):
        read = column(values, left)
        left -= len(read)
        found[name] = Row(read)
    return found


def _records_of_ops(row: Row, rows_max: int) -> list[Any]:
    indexes = row.items(rows_max)
    need(all(index is None or isinstance(index, int) for index in indexes))
    rests = iter(parted(row.bytes(10 * indexes.count(None))))
    return [next(rests) if index is None else index for index in indexes]


def parted(joined: bytes) -> list[bytes]:
    return [joined[at : at + 10] for at in range(0, len(joined), 10)]


def _op_form(row: Row) -> list[tuple[str, Any, int]]:
    form = []
    while row.left:
        form.append((row.text(WORD), row.any(), row.number(1, 2)))
    return form


def op_rows(row: Row) -> list[list[Any]]:
    found, written, which = columns(row, _records_of_ops, 13, OPS_MAX)
    forms = [_op_form(Row(form)) for form in written]
    values = values_of(row, (name for form in forms for name, _, _ in form))
    rows = []
    for index, form in enumerate(which):
        edits = [[name, code, *(values[name].any() for _ in range(length))] for name, code, length in forms[form]]
        rows.append([*(column[index] for column in found), edits])
    for each in values.values():
        each.end()
    return rows


def edit(row: Row) -> dict[str, Any]:
    short = len(row.left) == 3
    field, code = row.text(WORD), row.number(high=0x23)
    action = code & 15
    need(action <= 3)
    key, value = "", None
    if short and action in (0, 3):
        value = row.any()
    elif short:
        need(action == 2)
        key = row.text(WORD)
    else:
        key, value = row.text(WORD), row.any()
        need(not (key == "" and action in (0, 3)))
        need(not (action == 2 and value is None))
    need(depth_of(value) <= 6)
    return {"field": field, "action": action, "key": key, "value": value, "class": code >> 4}


def depth_of(value: Any) -> int:
    if not isinstance(value, (list, dict)):
        return 0
    return 1 + max((depth_of(each) for each in (value.values() if isinstance(value, dict) else value)), default=0)


def segment(row: Row, device: bytes) -> dict[str, Any]:
    incarnation, first_seq = row.bytes(8), row.number(1)
    said = {"chain_before": row.bytes(32), "epoch": row.bytes(8), "author": row.bytes(16)}
    roots = row.each(lambda pair: [pair.number(), pair.bytes(16)], 18)
    boots = [Row([boot]).bytes(8) for boot in row.items(OPS_MAX)]
    rows = whole(row.any(), op_rows)
    last_seq = first_seq + len(rows) - 1
    need(rows and last_seq <= SEQ_MAX)
    need([block for block, _ in roots] == [*range(first_seq // 256, last_seq // 256 + 1)])
    ops: list[dict[str, Any]] = []
    at = dict.fromkeys(("position", "hlc", "wall", "monotonic", "server"), 0)
    for index, items in enumerate(rows):
        seq = first_seq + index
        op = {"device": device, "incarnation": incarnation, "seq": seq, "author": said["author"]}
        op |= whole(items, lambda each: _op(each, seq, said["epoch"], at, boots, ops))  # noqa: B023 - At once.
        ops.append(op | {"salt": op_salt(dict(roots)[seq // 256], seq)})
    head = {"incarnation": incarnation, "first_seq": first_seq, **said, "roots": roots}
    return {**head, "ops": ops, "signature": row.bytes(64)}


def _op(
    row: Row, seq: int, epoch: bytes, at: dict[str, int], boots: list[bytes], before: list[dict[str, Any]]
) -> dict[str, Any]:
    record, ahead = row.any(), row.signed()
    op = {"record": record, "kind": row.text(64), "schema": row.number(1), "intent": row.number(high=5)}
    at["position"] = within(at["position"] + row.signed(), TIME_MAX)
    own_seq = seq - 1 - row.number(high=seq - 1)
    at["hlc"] = within(at["hlc"] + row.signed(), TIME_MAX)
    if isinstance(record, bytes):
        op["record"] = record_id(within(at["hlc"] + ahead, (1 << 48) - 1).to_bytes(6, "big") + record)
    else:
        op["record"] = before[Row([record]).number(high=len(before) - 1)]["record"]
        need(ahead == 0)
    counter = row.number(high=0xFFFF)
    at["wall"] += row.signed()
    wall = within(at["hlc"] + at["wall"], TIME_MAX)
    boot = boots[row.number(high=len(boots) - 1)] if boots else row.bytes()
    at["monotonic"] += row.signed()
    monotonic = within(wall + at["monotonic"], TIME_MAX)
    at["server"] = within(at["server"] + row.signed(), TIME_MAX)
    clock = {"hlc": at["hlc"] << 16 | counter, "wall_ms": wall, "boot": boot, "monotonic_ms": monotonic}
    seen = {"epoch": epoch, "position": at["position"], "own_seq": own_seq}
    return op | {"seen": seen, "clock": clock | {"server_ms": at["server"]}, "edits": row.each(edit, 512)}


def within(number: int, high: int) -> int:
    need(0 <= number <= high)
    return number


# 8. Bodies.


def expanded(body: bytes, dictionaries: dict[int, bytes]) -> bytes:
    need(body)
    form, rest = body[0], body[1:]
    if form == 0:
        return rest
    need(form == 1 or form in dictionaries, "unsupported_version")
    dictionary = zstandard.ZstdCompressionDict(dictionaries[form]) if form in dictionaries else None
    try:
        frame = zstandard.get_frame_parameters(rest)
        need(frame.content_size <= BODY_BYTES_MAX and frame.window_size <= WINDOW_MAX, "too_large")
        need(not frame.dict_id)
        reader = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=WINDOW_MAX)
        return reader.decompress(rest, allow_extra_data=False)
    except zstandard.ZstdError:
        raise RefusedError from None


# 9. Envelopes.


def opened(raw: bytes, *, secret: bytes, sender: bytes, context: bytes) -> dict[str, Any]:
    need(len(raw) <= MESSAGE_BYTES_MAX, "too_large")
    need(raw[:1] == b"\1", "unsupported_version")
    need(len(raw) >= 127)
    need(raw[1] == 1, "unsupported_version")
    need(1 <= raw[2] <= 4)
    key = X25519PrivateKey.from_private_bytes(secret)
    public = key.public_key().public_bytes_raw()
    need(raw[3:7] == sha256(public)[:4], "unknown_key")
    header, bound = raw[:15], sha256(context)
    try:
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
        plain = suite.decrypt(raw[15:], key, b"gridlog v1 envelope" + header + bound)
    except (InvalidTag, ValueError):
        raise RefusedError from None
    signature, body = plain[:64], plain[64:]
    verified(sender, signature, b"gridlog v1 signed" + header + public + bound + body)
    return {"purpose": raw[2], "address": raw[7:15], "body": body}


def can_be_sealed_to(raw: bytes) -> bytes:
    """Refuse a key of small order (section 12)."""
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        raise RefusedError from None
    return raw
