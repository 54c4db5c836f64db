"""Count what HTTP/1.1 carries over a line: messages, their headers and their bodies, apart for each way.

It reads only the framing (`Content-Length`), so that what is inside may be sealed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.proxy import Direction

_END_OF_HEADERS = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What has passed so far, or between two moments. All but `round_trips` are bytes."""

    round_trips: int = 0
    body_up: int = 0
    body_down: int = 0
    headers: int = 0

    @property
    def bodies(self) -> int:
        """The bytes of all bodies, both ways."""
        return self.body_up + self.body_down

    def __sub__(self, earlier: Traffic) -> Traffic:
        return Traffic(
            self.round_trips - earlier.round_trips,
            self.body_up - earlier.body_up,
            self.body_down - earlier.body_down,
            self.headers - earlier.headers,
        )


@dataclass(slots=True)
class _Stream:
    """One way of one connection."""

    heading: bytes = b""
    body_left: int = 0


class Meter:
    """Hears the pieces that a `Link` hands on."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, Direction], _Stream] = {}
        self._bodies = dict.fromkeys(Direction, 0)
        self._headers = 0
        self._answers = 0

    def hear(self, connection: int, direction: Direction, piece: bytes) -> None:
        """Count one piece."""
        stream = self._streams.setdefault((connection, direction), _Stream())
        while piece:
            if stream.body_left:
                taken = min(stream.body_left, len(piece))
                self._bodies[direction] += taken
                stream.body_left -= taken
                piece = piece[taken:]
                self._note_end(stream, direction)
            else:
                before = len(stream.heading)
                stream.heading += piece
                piece = b""
                if (end := stream.heading.find(_END_OF_HEADERS)) >= 0:
                    heading, piece = stream.heading[:end], stream.heading[end + len(_END_OF_HEADERS) :]
                    self._headers += end + len(_END_OF_HEADERS) - before
                    stream.heading, stream.body_left = b"", _content_length(heading)
                    self._note_end(stream, direction)
                else:
                    self._headers += len(stream.heading) - before

    @property
    def traffic(self) -> Traffic:
        """What has passed so far. A round trip counts when its answer is complete."""
        bodies = self._bodies
        return Traffic(self._answers, bodies[Direction.UP], bodies[Direction.DOWN], self._headers)

    def _note_end(self, stream: _Stream, direction: Direction) -> None:
        if not stream.body_left and direction is Direction.DOWN:
            self._answers += 1


def _content_length(heading: bytes) -> int:
    for line in heading.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
