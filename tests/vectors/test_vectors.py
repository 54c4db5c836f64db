"""The vectors are current, and a reader that was written from the page alone understands every one of them."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridlog_protocol.errors import REFUSALS
from tests.vectors import independent, independent_messages, independent_values
from tests.vectors.independent import (
    commitment,
    edit_salt,
    expanded,
    op_hash,
    op_salt,
    opened,
    segment,
    verified,
    verify_segment,
)
from tests.vectors.independent_messages import (
    about,
    acknowledged,
    fingerprint,
    leaves,
    message,
    orders,
    repair,
    sums,
)
from tests.vectors.independent_values import (
    RefusedError,
    need,
    pack,
    sha256,
    shown,
    unpack,
    whole,
)
from tools.vectors.files import FILES, FOLDER, regenerated

Parts = dict[str, Any]
README = FOLDER.parent / "README.md"
PAGE = README.read_text("utf-8")
OURS = {"gridlog", "gridlog_protocol", "gridlog_sync", "gridlog_server", "tools"}
FOREIGN = {"msgpack", "zstandard", "cryptography"}
VECTORS = [(name, each) for name in FILES for each in json.loads((FOLDER / name).read_text("utf-8"))]


def heard(value: Any) -> Any:
    """Return a value of the vectors as it is in memory."""
    if isinstance(value, dict):
        is_bytes = [*value] == ["hex"]
        return bytes.fromhex(value["hex"]) if is_bytes else {name: heard(each) for name, each in value.items()}
    return [heard(each) for each in value] if isinstance(value, list) else value


def test_the_files_have_what_the_tool_would_write() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(FILES)
    for name, text in regenerated().items():
        assert (FOLDER / name).read_text("utf-8") == text, f"{name}: run `python -m tools.vectors`"


def test_the_page_explains_every_file() -> None:
    assert re.findall(r"^\| `(\w+\.json)` \|", PAGE, re.MULTILINE) == list(FILES)


@pytest.mark.parametrize("module", [independent, independent_messages, independent_values])
def test_the_independent_reader_has_nothing_of_ours(module: Any) -> None:
    imported = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module or "")
    of_itself = {"tests.vectors.independent", "tests.vectors.independent_values"}
    roots = {name.split(".")[0] for name in imported - of_itself}
    assert roots <= FOREIGN | sys.stdlib_module_names
    assert not roots & (OURS | {"importlib", "tests"})


def test_every_refusal_and_every_message_has_a_vector() -> None:
    refusals = {each["name"] for file, each in VECTORS if file == "refusals.json"}
    messages = {each["meaning"]["message"] for file, each in VECTORS if file == "messages.json" and "meaning" in each}
    repairs = {each["meaning"]["row"] for file, each in VECTORS if file == "repair.json" and "meaning" in each}

    assert refusals == set(REFUSALS)
    assert messages == {1, 2, 3, 4, 9}
    assert repairs == {1, 2, 3, 4}


@pytest.mark.parametrize(("file", "vector"), VECTORS, ids=[f"{file}: {each['name']}" for file, each in VECTORS])
def test_the_independent_reader_understands(file: str, vector: Parts) -> None:
    raw = bytes.fromhex(vector.get("bytes", ""))
    read = READERS[file]
    if "refused" in vector:
        with pytest.raises(RefusedError) as refused:
            read(heard(vector.get("given")), raw)
        assert refused.value.code == vector["refused"]
    else:
        assert shown(read(heard(vector.get("given")), raw)) == vector["meaning"]


def _value(_: Parts, raw: bytes) -> Any:
    return unpack(raw)


def _clock(given: Parts, _: bytes) -> Parts:
    match given:
        case {"counter": counter, "milliseconds": ms}:
            return {"hlc": ms << 16 | counter}
        case {"last": last, "wall_ms": wall_ms}:
            return {"next": max(last + 1, max(wall_ms, 0) << 16)}
        case {"last": last, "stamps": stamps}:
            return {"next": max(last, *stamps)}
        case {"claimed": claimed, "server_ms": server_ms, "seen_stamp": seen}:
            return {"stamp": max(min(claimed, server_ms + 60_000 << 16), seen + 1)}
    bits = int.from_bytes(given["entropy"], "big")
    high, low = bits >> 64 & 0x0FFF, bits & (1 << 62) - 1
    return {"record": (given["milliseconds"] << 80 | 7 << 76 | high << 64 | 2 << 62 | low).to_bytes(16, "big")}


def _commitment(given: Parts, _: bytes) -> Parts:
    of_op = op_salt(given["root"], given["seq"])
    of_edit = edit_salt(of_op, given["index"])
    committed = commitment(of_edit, given["key"], given["value"])
    return {"op_salt": of_op, "edit_salt": of_edit, "commitment": committed}


def _invitation(given: Parts, _: bytes) -> Parts:
    letters = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", given["code"])).upper()
    need(letters.startswith("GL1"), "not a code")
    try:
        plain = base64.b32decode(letters[3:] + "=" * (-len(letters[3:]) % 8))
    except ValueError:
        raise RefusedError("not a code") from None
    need(plain[-4:] == sha256(b"gridlog v1 code check", plain[:-4])[:4], "not a code")
    secret, pinned, address = plain[:16], plain[16:32], plain[32:-4].decode()
    assert pinned == sha256(b"gridlog v1 server keys", given["signing_key"], given["exchange_key"])[:16]
    identity = sha256(b"gridlog v1 code id", secret)[:8]
    return {"secret": secret, "fingerprint": pinned, "address": address, "code_id": identity}


def _op(given: Parts, _: bytes) -> Parts:
    return {"op_hash": op_hash(given)}


def _segment(given: Parts, raw: bytes) -> Parts:
    read = whole(unpack(raw), lambda row: segment(row, given["device"]))
    said = verify_segment(read, tenant=given["tenant"], device=given["device"], key=given["signing_key"])
    assert isinstance(said, dict)
    return said


def _receipt(given: Parts, _: bytes) -> Parts:
    if "signature" in given:
        who = [given[name] for name in ("tenant", "device", "incarnation", "up_to_seq", "chain_head")]
        where = [given[name] for name in ("log_position", "log_hash", "server_ms")]
        signed = b"gridlog v1 receipt" + pack(who + where)
        verified(given["signing_key"], given["signature"], signed)
        return {"number": f"{given['log_position']}-{given['log_hash'].hex()[:4]}"}
    if "before" not in given:
        log_hash = sha256(b"gridlog v1 log", pack([given["tenant"], given["epoch"]]))
    else:
        names = ("position", "entry_type", "device", "incarnation", "seq")
        entry = pack([*(given[name] for name in names), _entered(given), given["stamp"]])
        log_hash = sha256(b"gridlog v1 log entry", given["before"], entry)
    return {"log_hash": log_hash, "token": sha256(b"gridlog v1 token", given["epoch"], log_hash)[:8]}


def _entered(given: Parts) -> bytes:
    if "decision" not in given:
        return bytes(given["op_hash"])
    gap = given.get("gap", {})
    said = sha256(b"gridlog v1 gap", pack([*gap.values()])) if gap else given["op_hash"]
    return sha256(b"gridlog v1 decision", pack([said, *given["decision"].values()]))


def _digest(given: Parts, _: bytes) -> Parts:
    sets: dict[tuple[str, int], list[int]] = {}
    records = []
    for scope, held in given.items():
        for record in held:
            of = leaves(record)
            records.append({"record": record["record"], "leaves": of, "fingerprint": fingerprint(of)})
            for each, leaf in of:
                count, total = sets.get((scope, each), [0, 0])
                sets[scope, each] = [count + 1, (total + int.from_bytes(leaf, "big")) % (1 << 256)]
    rows = [[scope, each, count, total.to_bytes(32, "big")] for (scope, each), (count, total) in sorted(sets.items())]
    named = [dict(zip(("scope", "class", "count", "sum"), row, strict=True)) for row in rows]
    return {"records": records, "sums": named, "digest": sha256(b"gridlog v1 digest", pack(rows))[:16]}


def _repair(given: Parts | None, raw: bytes) -> Parts:
    said = repair(unpack(raw))
    if given and said["row"] == 1:
        assert said["sums"] == sums(given["fingerprints"], said["depth"])
    if given and said["row"] == 3:
        of_children = sums(given["fingerprints"], said["depth"] + 1)
        for index, found in said["ranges"]:
            assert found == of_children[128 * index : 128 * (index + 1)]
    return said


def _message(given: Parts, raw: bytes) -> Parts:
    return message(unpack(expanded(raw, dictionaries())), given["device"])


def _refusal(_: None, raw: bytes) -> Parts:
    said = message(unpack(expanded(raw, {})), b"")
    row = re.search(rf"^\| `{said['code']}` \| (\d+) \|", PAGE, re.MULTILINE)
    assert row is not None
    return said | {"http": int(row[1])}


def _envelope(given: Parts, raw: bytes) -> Parts:
    said = opened(raw, secret=given["reader_secret"], sender=given["sender_key"], context=given["context"])
    if said["purpose"] in (2, 4):
        assert said["address"] == sha256(given["context"])[:8]
    return said


def _order(given: Parts, raw: bytes) -> Parts:
    said = message(unpack(expanded(raw, dictionaries())), given["device"])
    if said["message"] == 3:
        return {"about": about(said["extras"]), "wiped": acknowledged(said["extras"])}
    return {"orders": orders(said["directives"], given)}


def dictionaries() -> dict[int, bytes]:
    """Return the dictionaries of the page, whose bytes have the hashes that it names."""
    found = {}
    for number, digest in re.findall(r"^\| `([0-9a-f]{2})` \| [\d ]+ \| `([0-9a-f]{64})` \|", PAGE, re.MULTILINE):
        raw = (README.parent / f"gridlog_protocol/dictionaries/{int(number, 16)}.zdict").read_bytes()
        assert hashlib.sha256(raw).hexdigest() == digest
        found[int(number, 16)] = raw
    return found


READERS: dict[str, Callable[[Any, bytes], Any]] = {
    "values.json": _value,
    "clocks.json": _clock,
    "commitments.json": _commitment,
    "invitations.json": _invitation,
    "ops.json": _op,
    "segments.json": _segment,
    "receipts.json": _receipt,
    "digests.json": _digest,
    "repair.json": _repair,
    "messages.json": _message,
    "refusals.json": _refusal,
    "envelopes.json": _envelope,
    "orders.json": _order,
}
