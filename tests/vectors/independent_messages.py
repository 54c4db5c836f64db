"""The messages, records and comparisons of the wire, written from protocol/README.md alone: see `independent`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.independent import (
    can_be_sealed_to,
    columns,
    depth_of,
    parted,
    record_id,
    segment,
    values_of,
    within,
)
from tests.vectors.independent_values import (
    COUNT_MAX,
    OPS_MAX,
    POSITION_MAX,
    TIME_MAX,
    Row,
    need,
    pack,
    sha256,
    whole,
)

Author = tuple[bytes, bytes, bytes]


# 6. Records.


def records(value: Any, authors: list[Author], base: int) -> list[dict[str, Any]]:
    if value == []:
        return []
    row = Row(value)
    found, written, which = columns(row, _ids, 5, COUNT_MAX)
    forms = [_fields(Row(form)) for form in written]
    values = values_of(row, (field["name"] for form in forms for field in form))
    ends = Row(row.items())
    row.end()
    need(sum(len(forms[form]) for form in which) <= COUNT_MAX)
    behind: dict[int, Any] = {}
    while ends.left:
        index = ends.number(high=len(which) - 1)
        behind[index] = ends.any()
    read = []
    for index, form in enumerate(which):
        head = [column[index] for column in found]
        read.append(_record(Row(head), forms[form], values, authors, base, behind.get(index, [])))
    for each in values.values():
        each.end()
    return read


def _ids(row: Row, rows_max: int) -> list[Any]:
    at_ms, ids = 0, []
    apart = row.items(rows_max)
    for each, rest in zip(apart, parted(row.bytes(10 * len(apart))), strict=True):
        at_ms = within(at_ms + Row([each]).signed(), (1 << 48) - 1)
        ids.append(at_ms.to_bytes(6, "big") + rest)
    return ids


def _fields(row: Row) -> list[dict[str, Any]]:
    fields = []
    while row.left:
        field: dict[str, Any] = {
            "name": row.text(),
            "class": row.number(high=2),
            "flags": row.number(high=3),
            "cells": [],
        }
        for _ in range(row.number(high=COUNT_MAX)):
            field["cells"].append([row.number() for _ in range(row.number(high=COUNT_MAX))])
        need(field["flags"] & 1 or len(field["cells"]) == 1)
        fields.append(field)
    return fields


def _record(
    row: Row, form: list[dict[str, Any]], values: dict[str, Row], authors: list[Author], base: int, ends: Any
) -> dict[str, Any]:
    name, kind, schema = record_id(row.bytes(16)), row.text(64), row.number(1)
    made_ms = int.from_bytes(name[:6], "big")
    made = row.any()
    writes = row.each(lambda each: _write(each, authors, base, made_ms))
    fields: dict[str, Any] = {}
    covered = Row(ends)
    for field in form:
        need(field["name"] not in fields)
        fields[field["name"]] = _field(field, values[field["name"]], writes, base)
    for field_name, state in sorted(fields.items()):
        for key, cell in sorted(state["cells"].items()):
            if any(_ends(field_name, key, head["value"]) for head in cell["heads"]):
                cell["covered"] = _covered(Row(covered.any()), authors)
    covered.end()
    origin = None if made is None else whole(made, lambda each: _origin(each, writes, authors, made_ms))
    return {"record": name, "kind": kind, "schema": schema, "origin": origin, "fields": fields}


def _author(row: Row, authors: list[Author]) -> Author:
    need(authors)
    return authors[row.number(high=len(authors) - 1)]


def _write(row: Row, authors: list[Author], base: int, made_ms: int) -> dict[str, Any]:
    device, incarnation, user = _author(row, authors)
    seq = row.number(1)
    stamp = within(made_ms + row.signed(), TIME_MAX) << 16 | row.number(high=0xFFFF)
    position = within(base - row.signed(), POSITION_MAX)
    who = {"device": device, "incarnation": incarnation, "seq": seq, "author": user}
    return who | {"stamp": stamp, "position": position}


def _origin(row: Row, writes: list[dict[str, Any]], authors: list[Author], made_ms: int) -> dict[str, Any]:
    if len(row.left) == 2:
        need(writes)
        write = writes[row.number(high=len(writes) - 1)]
        who = {name: write[name] for name in ("device", "incarnation", "seq", "author")}
    else:
        device, incarnation, user = _author(row, authors)
        who = {"device": device, "incarnation": incarnation, "seq": row.number(1), "author": user}
    return who | {"wall_ms": within(made_ms + row.signed(), TIME_MAX)}


def _field(form: dict[str, Any], values: Row, writes: list[dict[str, Any]], base: int) -> dict[str, Any]:
    changed = within(base - values.signed(), POSITION_MAX) if form["flags"] & 2 else None
    cells: dict[str, Any] = {}
    for indexes in form["cells"]:
        key = values.text() if form["flags"] & 1 else ""
        need(key not in cells and all(index < len(writes) for index in indexes))
        heads = [writes[index] | {"value": values.any()} for index in indexes]
        need(all(depth_of(head["value"]) <= 6 for head in heads))
        heads.sort(key=lambda head: (head["stamp"], head["device"], head["incarnation"], head["seq"]))
        cells[key] = {"heads": heads}
    newest = max((head["position"] for cell in cells.values() for head in cell["heads"]), default=None)
    need(changed != newest)
    return {"class": form["class"], "changed": newest if changed is None else changed, "cells": cells}


def _ends(field: str, key: str, value: Any) -> bool:
    is_step = isinstance(value, list) and len(value) == 3 and value[2] is True
    return key == "" and (value is not None if field == "deleted" else is_step)


def _covered(row: Row, authors: list[Author]) -> dict[str, Any]:
    position, own = row.number(high=POSITION_MAX), []
    while row.left:
        device, incarnation, _ = _author(row, authors)
        own.append([device, incarnation, row.number()])
    return {"position": position, "own": sorted(own)}


def _authors(row: Row) -> list[Author]:
    return row.each(lambda each: (each.bytes(16), each.bytes(8), each.bytes(16)))


# 7. Messages.


def message(value: Any, device: bytes) -> dict[str, Any]:
    row = Row(value)
    tag = row.number()
    need(tag in (1, 2, 3, 4, 9))
    said: dict[str, Any] = {"message": tag}
    if tag == 1:
        said |= {"code_secret": row.bytes(16), "device": row.bytes(16), "signing_key": row.bytes(32)}
        said |= {"exchange_key": can_be_sealed_to(row.bytes(32)), "model": row.text(), "app_version": row.text()}
    elif tag == 2:
        said |= {"handle": row.bytes(8), "tenant": row.text(), "tenant_name": row.text(), "user": row.bytes(16)}
        said |= {"user_name": row.text(), "epoch": row.bytes(8), "scopes": [Row([s]).text() for s in row.items(64)]}
        said |= {"generation": row.number(), "server_ms": row.number(), "recovery_key": row.bytes(0, 32)}
    elif tag == 3:
        said |= _request(row, device)
    elif tag == 4:
        said |= _response(row)
    else:
        said |= {"code": row.text(), "detail": row.text()}
    row.end()
    return said


def _clock(row: Row) -> dict[str, Any]:
    names = {"hlc": row.number(), "wall_ms": row.number(), "boot": row.bytes(8)}
    return names | {"monotonic_ms": row.number(), "server_ms": row.number()}


def _request(row: Row, device: bytes) -> dict[str, Any]:
    said: dict[str, Any] = {"counter": row.number(1), "token": row.bytes(8), "position": row.number()}
    said |= {"generation": row.number(), "segments": row.each(lambda each: segment(each, device), 64)}
    need(len({each["incarnation"] for each in said["segments"]}) <= 1)
    said["fetches"] = row.each(
        lambda each: {
            "scope": each.text(),
            "as_of": each.number(),
            "after": each.maybe(lambda after: after.bytes(16)),
        },
        64,
    )
    said["status"] = row.maybe(lambda each: each.map())
    need(len(pack(said["status"])) <= 2_048)
    clock = row.any()
    said["clock"] = None if clock is None else whole(clock, _clock)
    return said | {"extras": row.map()}


def _accepted(row: Row) -> dict[str, Any]:
    said = {"first_seq": row.number(1), "count": row.number(1, OPS_MAX * 64), "first_position": row.number(1)}
    stamps, flat = [], Row(row.items())
    while flat.left:
        offset = flat.number(high=said["count"] - 1)
        stamps.append([offset, flat.number(high=TIME_MAX) << 16 | flat.number(high=0xFFFF)])
    return said | {"stamps": stamps}


def _response(row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {"server_ms": row.number(high=TIME_MAX), "epoch": row.bytes(0, 8), "token": row.bytes(8)}
    said |= {"from": row.number(), "to": row.number(), "generation": row.number(), "digest": row.bytes(0, 16)}
    said |= {"has_more": row.flag(), "known_seq": row.number(), "accepted": row.each(_accepted)}
    said["held"] = row.each(lambda each: {"seq": each.number(1), "code": each.text(), "field": each.text()})
    authors, base = _authors(row), said["to"]
    said["records"] = records(row.any(), authors, base)
    said["left"] = [Row([each]).bytes(16) for each in row.items()]
    said["pages"] = row.each(
        lambda each: {
            "scope": each.text(),
            "as_of": each.number(),
            "after": each.maybe(lambda after: after.bytes(16)),
            "records": records(each.any(), authors, base),
        },
        64,
    )
    receipt = row.any()
    said["receipt"] = None if receipt is None else whole(receipt, _receipt)
    said["directives"] = row.each(lambda each: {"counter": each.number(), "name": each.text(), "facts": each.map()})
    return said | {"extras": row.map()}


def _receipt(row: Row) -> dict[str, Any]:
    said = {"up_to_seq": row.number(), "log_position": row.number(), "log_hash": row.bytes(32)}
    return said | {"server_ms": row.number(), "signature": row.bytes(64)}


# 11. Digest. 17. Repair.


def leaves(record: dict[str, Any]) -> list[list[Any]]:
    found = []
    for each in sorted({field["class"] for field in record["fields"].values()}):
        fields = []
        for name, field in sorted(record["fields"].items()):
            cells = [
                [key, [[head[part] for part in ("device", "incarnation", "seq", "stamp", "value")] for head in heads]]
                for key, heads in sorted((key, cell["heads"]) for key, cell in field["cells"].items())
                if heads
            ]
            if field["class"] == each and cells:
                fields.append([name, cells])
        found.append([each, sha256(b"gridlog v1 leaf", pack([record["record"], each, fields]))])
    return found


def fingerprint(of: list[list[Any]]) -> bytes:
    return sha256(b"gridlog v1 repair", *(bytes([each]) + leaf for each, leaf in of))[:8]


def place(record: bytes, depth: int) -> int:
    return int(sha256(record).hex()[:depth] or "0", 16)


def sums(fingerprints: list[list[bytes]], depth: int) -> bytes:
    totals = [0] * 16**depth
    for record, each in fingerprints:
        totals[place(record, depth)] += int.from_bytes(each, "big")
    return b"".join((total % (1 << 64)).to_bytes(8, "big") for total in totals)


def repair(value: Any) -> dict[str, Any]:
    row = Row(value)
    tag = row.any()
    need(tag in (1, 2, 3, 4))
    said: dict[str, Any] = {"row": tag}
    if tag == 4:
        authors = _authors(row)
        said |= {"records": records(row.any(), authors, 0), "dropped": [Row([r]).bytes(16) for r in row.items()]}
    else:
        depth = said["depth"] = row.number(high=5)
        ranges = 16**depth - 1
        if tag == 1:
            said["sums"] = row.bytes(8 * 16**depth)
        elif tag == 2:
            said["ranges"] = row.each(lambda each: [each.number(high=ranges), _listed(Row(each.items()))])
        else:
            said["ranges"] = row.each(lambda each: [each.number(high=ranges), each.bytes(128)])
    row.end()
    return said


def _listed(row: Row) -> list[list[bytes]]:
    found = []
    while row.left:
        found.append([row.bytes(16), row.bytes(8)])
    return found


# 20. What a device says of itself, and orders to it.

_ABOUT: dict[str, Callable[[Row], Any]] = {
    "protocol": lambda row: row.number(),
    "kinds": lambda row: row.text(),
    "keys": lambda row: [Row([each]).text() for each in row.items(64)],
    "weak": lambda row: row.flag(),
    "free_mb": lambda row: row.number(),
    "battery": lambda row: row.number(high=100),
    "scopes": lambda row: [Row([each]).text() for each in row.items(64)],
    "incarnation": lambda row: row.bytes(8),
    "order": lambda row: row.number(),
    "refused_order": lambda row: row.text(),
}


def about(extras: dict[str, Any]) -> dict[str, Any]:
    said = Row([extras.get("about", {})]).map()
    need(len(pack(said)) <= 8_192)
    return {name: _ABOUT.get(name, Row.any)(Row([value])) for name, value in said.items()}


def acknowledged(extras: dict[str, Any]) -> dict[str, Any] | None:
    if "wiped" not in extras:
        return None
    row = Row(extras["wiped"])
    said = {"counter": row.number(1), "incarnation": row.bytes(8), "wall_ms": row.number(high=TIME_MAX)}
    row.end()
    return said


def orders(directives: list[dict[str, Any]], store: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for each in directives:
        if each["name"] not in ("wipe", "keep"):
            continue
        names = Row([each["facts"].get("device"), each["facts"].get("incarnation")])
        is_mine = (names.bytes(16), names.bytes(8)) == (store["device"], store["incarnation"])
        why = "foreign" if not is_mine else "old" if each["counter"] <= store["order"] else None
        found.append({"order": each["name"], "counter": each["counter"], "refused": why})
    return found
