"""A running server's door, strangers who come to it, and the proof that none of them did any harm.

Each stranger has an address of 127.0.0.0/8 of his own, as strangers have: caps and rates are counted for each.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from gridlog_protocol.envelope import Purpose
from gridlog_protocol.errors import REFUSALS
from gridlog_protocol.invitation import read_invitation
from gridlog_protocol.messages import Refused, SyncResponse
from tests.end_to_end.processes import ServerProcess
from tests.unit.server.building import EAST, Handset

MEDIA_TYPE = "application/vnd.gridlog"
HEAD = f"POST /v1/sync HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n".encode()
WELL = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
RSS_GROWTH_BYTES_MAX = 64 << 20
PATIENCE_S = 20.0
"""Until a test gives up. No test asserts how long anything took."""

_numbers = count(1)


def stranger() -> str:
    """Return an address that nobody has used."""
    number = next(_numbers)
    return f"127.1.{number >> 8}.{number & 255}"


@dataclass(slots=True)
class Door:
    """A server process, seen from outside."""

    process: ServerProcess
    _rss: int = field(init=False)
    _lines: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.is_well()
        self._rss = self.rss()

    def connect(self, source: str) -> socket.socket:
        """Return a connection from an address."""
        return socket.create_connection(("127.0.0.1", self.process.port), PATIENCE_S, (source, 0))

    def said(self, data: bytes, source: str | None = None) -> bytes:
        """Send raw bytes, and return all that comes until the server closes."""
        with self.connect(source or stranger()) as connection:
            # Refused before all was sent: the answer is there to be read.
            with suppress(ConnectionError):
                connection.sendall(data)
            return heard(connection)

    def is_well(self) -> bool:
        """Tell whether somebody new is served."""
        return self.said(WELL).startswith(b"HTTP/1.1 200")

    def rss(self) -> int:
        """Return the resident bytes of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Return all samples, by their name and their labels' values."""
        text = self._locally("GET", "/metrics").decode()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def line(self) -> Line:
        """Return somebody's connection, until the test ends."""
        self._lines.append(Line(self.process.port))
        return self._lines[-1]

    def command(self, name: str, facts: Mapping[str, object]) -> Any:
        """Ask the local door."""
        return json.loads(self._locally("POST", f"/{name}", json.dumps(facts).encode()))

    def handset(self, staff_no: str, name: str = "张三") -> tuple[Handset, Line]:
        """Return an enrolled handset, and its line to the server."""
        line = self.line()
        facts = json.loads(line.asked("GET", "/v1/identity")[1])
        handset = Handset((bytes.fromhex(facts["signing_key"]), bytes.fromhex(facts["exchange_key"])))
        made = self.command("enroll", {"staff_no": staff_no, "name": name, "grids": [EAST]})
        status, sealed = line.asked("POST", "/v1/enroll", handset.ask_to_enrol(read_invitation(made["code"])))
        assert status == 200
        handset.take_enrolment(sealed)
        return handset, line

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Make sure that nothing of what happens meanwhile harms the server."""
        before = self.metrics()
        try:
            yield
        finally:
            while self._lines:
                self._lines.pop().close()
        assert self.process.is_running
        assert self.is_well()
        after = self.metrics()
        failed = {key for key in after if key[0] == "gridlog_http_requests_total" and key[2].startswith("5")}
        assert {key: after[key] for key in failed if after[key] != before.get(key, 0)} == {}
        assert _stalls(after) == _stalls(before), "the event loop stood still for more than 100 ms"
        assert self.rss() - self._rss < RSS_GROWTH_BYTES_MAX
        assert "Traceback" not in self.process.log
        assert "unforeseen" not in self.process.log

    def _locally(self, method: str, path: str, body: bytes = b"") -> bytes:
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(PATIENCE_S)
            local.connect(str(self.process.data_dir / "admin.sock"))
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
            local.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
            answer = heard(local)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return answer.partition(b"\r\n\r\n")[2]


class Line:
    """Somebody's connection, made again when it was closed."""

    def __init__(self, port: int) -> None:
        self.source = stranger()
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=PATIENCE_S, source_address=(self.source, 0)
        )

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def asked(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        chosen = {"Content-Type": MEDIA_TYPE} if headers is None else dict(headers)
        for _ in range(2):
            try:
                self._connection.request(method, path, body, chosen)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                # It had rested for too long, and was closed.
                self._connection.close()
        raise AssertionError("the server does not answer")

    def refused(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> str:
        """Return the code of a refusal in clear, and make sure that it has the form of one."""
        status, content = self.asked("POST", path, body, headers)
        problem = json.loads(content)
        code = problem["code"]
        assert isinstance(code, str)
        assert problem["status"] == status == REFUSALS[code].status
        assert 400 <= status < 500
        return code

    def exchanged(self, handset: Handset, raw: bytes) -> SyncResponse | Refused:
        """Send an envelope, and return what the sealed answer says."""
        status, sealed = self.asked("POST", "/v1/sync", raw)
        assert status == 200, sealed
        answer = handset.opened(sealed, raw, Purpose.SYNC_RESPONSE)
        assert isinstance(answer, (SyncResponse, Refused))
        return answer


def heard(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    got = b""
    try:
        while piece := connection.recv(1 << 16):
            got += piece
    except ConnectionError:
        pass
    return got


def reset(connection: socket.socket) -> None:
    """Close as a phone does whose radio died: at once, unread."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _stalls(metrics: Mapping[tuple[str, ...], float]) -> float:
    name = "gridlog_event_loop_stall_seconds"
    return metrics[f"{name}_count",] - metrics[f"{name}_bucket", "0.1"]
