"""What became of held ops: decisions on the way to the device that wrote them.

They travel in `extras` of a response under `decisions`: those about ops of this device whose log entries the answer
covers. The journal of a device keeps them in the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .canonical import Value
from .clock import Stamp
from .ids import DeviceId, Incarnation, OpId, Position
from .limits import DECIDER_CHARACTERS_MAX, DECISIONS_MAX, REASON_CHARACTERS_MAX, SEQ_MAX
from .log_chain import Ruling
from .rows import Row

EXTRA = "decisions"
"""The key of `extras` under which decisions travel."""

_UTF8_BYTES_MAX = 4
_VERDICT_BYTES_MAX = 16


class Verdict(StrEnum):
    """What was decided about a held op."""

    RELEASED = "released"
    """It took effect, at the position of the decision."""
    REJECTED = "rejected"
    """It never takes effect. It stays in the history."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A log entry that decides about one held op. `stamp` is what a released op was given, 0 for a rejected one.

    `op_hash` says which op it is: a restored or copied store may have written another one under the same id.
    """

    op: OpId
    op_hash: bytes
    verdict: Verdict
    position: Position
    stamp: Stamp
    ruling: Ruling


def decision_rows(decisions: Iterable[Decision]) -> Value:
    """Write decisions about ops of one device, which both ends know."""
    return [
        [
            each.op.incarnation,
            each.op.seq,
            each.op_hash,
            each.verdict.value,
            each.position,
            each.stamp,
            each.ruling.by,
            each.ruling.at_ms,
            each.ruling.reason,
            each.ruling.follows,
        ]
        for each in decisions
    ]


def read_decisions(value: Value, device: DeviceId) -> tuple[Decision, ...]:
    """Read decisions about ops of `device`. Raises ProtocolError `malformed`."""
    rows = Row([value], "decisions").rows("decision", DECISIONS_MAX)
    return tuple(_read(row, device) for row in rows)


def _read(row: Row, device: DeviceId) -> Decision:
    op = OpId(device, Incarnation(row.blob(8)), row.whole(low=1, high=SEQ_MAX))
    op_hash = row.blob(32)
    name = row.text(_VERDICT_BYTES_MAX)
    if name not in list(Verdict):
        raise row.malformed("unknown verdict")
    position, stamp = Position(row.whole(low=1)), Stamp(row.whole())
    by, at_ms = row.text(_UTF8_BYTES_MAX * DECIDER_CHARACTERS_MAX), row.whole()
    reason, follows = row.text(_UTF8_BYTES_MAX * REASON_CHARACTERS_MAX), Position(row.whole())
    row.end()
    return Decision(op, op_hash, Verdict(name), position, stamp, Ruling(by, at_ms, reason, follows))
