"""The files of vectors: which there are, and how they are written.

What is drawn at random (envelopes) or depends on a library's version (compressed bodies) stays as it stands in the
file while it still says the same. All else is computed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from gridlog_protocol.canonical import Value
from tools.vectors import basics, bodies, evidence, orders, sealing, states

FOLDER = Path(__file__).parents[2] / "protocol" / "vectors"

Vector: TypeAlias = "dict[str, Value]"
Maker: TypeAlias = Callable[[Mapping[str, bytes]], list[Vector]]

FILES: dict[str, Maker] = {
    "values.json": basics.values,
    "clocks.json": basics.clocks,
    "commitments.json": basics.commitments,
    "invitations.json": basics.invitations,
    "ops.json": evidence.ops,
    "segments.json": evidence.segments,
    "receipts.json": evidence.receipts,
    "digests.json": states.digests,
    "repair.json": states.repairs,
    "messages.json": bodies.messages,
    "refusals.json": bodies.refusals,
    "envelopes.json": sealing.envelopes,
    "orders.json": orders.orders,
}


def regenerated() -> dict[str, str]:
    """Return the text of every file. `kept` are the bytes of each vector as they stand now, by its name."""
    texts = {}
    for name, make in FILES.items():
        vectors = make(_kept(FOLDER / name))
        assert len({str(each["name"]) for each in vectors}) == len(vectors), f"{name}: a name twice"
        texts[name] = json.dumps(vectors, ensure_ascii=False, indent=1) + "\n"
    return texts


def _kept(path: Path) -> dict[str, bytes]:
    if not path.exists():
        return {}
    vectors = json.loads(path.read_text("utf-8"))
    return {each["name"]: bytes.fromhex(each["bytes"]) for each in vectors if isinstance(each.get("bytes"), str)}
