"""What a position that an op names is worth in the server's present life. Pure.

The rule it keeps: nobody has seen what stands behind a fork because he had seen what stood there before.
"""

from __future__ import annotations

from dataclasses import replace

from gridlog_protocol.epochs import Epochs, reach
from gridlog_protocol.ids import Position
from gridlog_protocol.ops import Op


def as_of_now(op: Op, epochs: Epochs) -> Op:
    """Return the op with its named position lowered to what it is worth now: to 0 for a foreign epoch.

    Without epochs there was one life only.
    """
    if not epochs or op.seen.epoch == epochs[-1].epoch:
        return op
    most = reach(epochs, op.seen.epoch)
    return op if most is None else lowered(op, most)


def lowered(op: Op, most: Position) -> Op:
    """Return the op with a named position of `most` at most."""
    return op if op.seen.position <= most else replace(op, seen=replace(op.seen, position=most))
