"""What could not be taken in, and what somebody decided about it: part of `contract`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gridlog_protocol.ids import DeviceId, Position
from gridlog_protocol.log_chain import Ruling


class Outcome(StrEnum):
    """What somebody decided about it. It stays where it is, whatever that was."""

    TAKEN_IN = "taken_in"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that could not be taken in. `body` is a segment as a row of the wire, or a whole request.

    `served` is where its device stood when it came: what its ops may name. `outcome` and `ruling` come together.
    """

    number: int
    device: DeviceId
    received_ms: int
    code: str
    body: bytes
    served: Position = Position(0)  # noqa: RUF009 - an int.
    outcome: Outcome | None = None
    ruling: Ruling | None = None
