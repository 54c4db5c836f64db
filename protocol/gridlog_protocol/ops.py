"""An op: one device's edit of one record, with what its author had seen.

The rule it keeps: an op's hash covers everything its author said, but personal values only through salted
commitments. A person can be erased later, and every hash and signature over the ops still verifies.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from .canonical import Value, pack_settled, settled
from .clock import ClockFacts
from .ids import Epoch, OpId, Position, RecordId, UserId

SALT_BYTES = 16


class Action(IntEnum):
    """What an edit does to its field."""

    SET = 0
    """Write a register, or the register of one key of a map."""
    ADD = 1
    """Put an element into a set or list."""
    REMOVE = 2
    """Take an element out of a set."""
    COUNT = 3
    """Add a number to a counter."""


class Intent(IntEnum):
    """Why the op was written. Evidence for readers; merging does not depend on it."""

    CREATE = 0
    EDIT = 1
    RESOLVE = 2
    WITHDRAW = 3
    PROPOSE = 4
    """Values for fields that the server decides: nothing is shown of them until somebody there accepts them."""
    UNDO = 5
    """Puts back one of the values that a resolution had replaced."""


class Edit(NamedTuple):
    """One change of one field. `key` names the element of a set, list or map and is empty for plain fields.

    `digest_class` is the class of the field in the author's kind (see `state`): signed with the op, so that
    every replica counts the field alike, whichever version of the kind it knows.
    """

    field: str
    action: Action
    key: str
    value: Value
    digest_class: int

    @property
    def is_committed(self) -> bool:
        """Tell whether key and value enter the op's hash only as a salted commitment."""
        return self.digest_class > 0

    @property
    def code(self) -> int:
        """The action and, in the upper four bits, the class: how hash and wire name them."""
        return self.action | self.digest_class << 4


@dataclass(frozen=True, slots=True)
class Seen:
    """What was on the screen when the form was opened.

    `position` is the device's replica in the log of `epoch`; `own_seq` the last op of the device's own that it
    showed. 0 means none: also for a record that the device did not hold.
    """

    epoch: Epoch
    position: Position
    own_seq: int


@dataclass(frozen=True, slots=True)
class Op:
    """One device's edit of one record. Frozen when the worker acts: clock, ids and salt never change afterwards."""

    id: OpId
    author: UserId
    record: RecordId
    kind: str
    schema: int
    intent: Intent
    seen: Seen
    clock: ClockFacts
    edits: tuple[Edit, ...]
    salt: bytes


def op_salt(root: bytes, seq: int) -> bytes:
    """Derive one op's salt from the root of its block (HMAC-SHA256, first 16 bytes)."""
    return hmac.digest(root, b"gridlog v1 op salt" + seq.to_bytes(8, "big"), "sha256")[:SALT_BYTES]


def edit_salt(salt: bytes, index: int) -> bytes:
    """Derive the salt of the edit at `index` (from 0) of an op from the op's salt."""
    return hmac.digest(salt, b"gridlog v1 edit salt" + index.to_bytes(2, "big"), "sha256")[:SALT_BYTES]


def commitment(salt: bytes, key: str, value: Value) -> bytes:
    """Commit to an edit's key and value: SHA-256 over its salt and their canonical bytes."""
    return hashlib.sha256(b"gridlog v1 commitment" + salt + pack_settled([key, settled(value)])).digest()


def op_hash(op: Op) -> bytes:
    """Return the 32 bytes that name what this op says; the layout is section 4.2 of the wire specification."""
    edits: list[Value] = []
    for index, (field, action, key, value, digest_class) in enumerate(op.edits):
        code = action | digest_class << 4
        if digest_class:
            edits.append([field, code, commitment(edit_salt(op.salt, index), key, value)])
        else:
            edits.append([field, code, key, settled(value)])
    said = pack_settled(
        [
            op.id.device,
            op.id.incarnation,
            op.id.seq,
            op.author,
            op.record,
            op.kind,
            op.schema,
            int(op.intent),
            [op.seen.epoch, op.seen.position, op.seen.own_seq],
            [
                op.clock.hlc,
                op.clock.wall_ms,
                op.clock.boot,
                op.clock.monotonic_ms,
                op.clock.server_ms,
            ],
            edits,
        ]
    )
    return hashlib.sha256(b"gridlog v1 op" + said).digest()
