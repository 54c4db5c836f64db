"""What the server answers over real HTTP, above all to what makes no sense. It is never a 5xx, and never a crash."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gridlog_protocol.envelope import Purpose
from gridlog_protocol.errors import REFUSALS
from gridlog_protocol.ids import TenantId
from gridlog_protocol.invitation import read_invitation
from gridlog_protocol.limits import MESSAGE_BYTES_MAX
from gridlog_protocol.messages import SyncResponse
from gridlog_server import app, serving
from gridlog_server.settings import Settings
from tests.end_to_end.processes import ServerProcess, free_port
from tests.unit.server.building import EAST, Handset, put
from tools.dice import dice

MEDIA_TYPE = "application/vnd.gridlog"
HEAD = f"POST /v1/sync HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA_TYPE}\r\n".encode()
POSTS = ("/v1/sync", "/v1/enroll")
UNREADABLE = {"malformed", "unsupported_version", "unknown_key"}
A_RECORD = "018f0000-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Door:
    """A running server, and a client without manners."""

    address: str
    socket: Path
    session: aiohttp.ClientSession

    async def answer(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        """Return status, content type and body of an answer."""
        kind = {"Content-Type": MEDIA_TYPE} if headers is None else headers
        async with self.session.request(method, self.address + path, data=body, headers=kind) as answer:
            return answer.status, answer.content_type, await answer.read()

    async def refusal(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> str:
        """Return the code of a refusal, and make sure that it has the form of one."""
        async with self.session.post(
            self.address + path,
            data=BytesIO(body),
            headers={"Content-Type": MEDIA_TYPE} if headers is None else headers,
        ) as answer:
            problem: dict[str, Any] = await answer.json(content_type="application/problem+json")
            code = problem["code"]
            assert isinstance(code, str)
            assert problem["status"] == answer.status == REFUSALS[code].status
            assert 400 <= answer.status < 500
            return code

    async def handset(self) -> Handset:
        """Return a handset that was enrolled over HTTP."""
        async with self.session.get(f"{self.address}/v1/identity") as answer:
            facts = await answer.json()
        keys = bytes.fromhex(facts["signing_key"]), bytes.fromhex(facts["exchange_key"])
        handset = Handset(keys)
        _, made = await self.command("enroll", {"staff_no": "W1", "name": "张三", "grids": [EAST]})
        invitation = read_invitation(made["code"])
        _, _, sealed = await self.answer("POST", "/v1/enroll", handset.ask_to_enrol(invitation))
        handset.take_enrolment(sealed)
        return handset

    async def command(self, name: str, facts: Mapping[str, object]) -> tuple[int, dict[str, Any]]:
        """Ask the local door."""
        connector = aiohttp.UnixConnector(str(self.socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(f"http://localhost/{name}", json=dict(facts)) as answer,
        ):
            return answer.status, await answer.json()

    async def is_well(self) -> bool:
        """Tell whether the server still answers."""
        return (await self.answer("GET", "/healthz"))[0] == 200


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    settings = Settings(tmp_path, "127.0.0.1", free_port(), "http://127.0.0.1")
    app.create(settings, TenantId("420106"), "武昌区")
    async with (
        app.services(settings) as opened,
        serving.serving(settings, opened) as address,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
    ):
        yield Door(address, settings.socket, session)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


async def test_health_and_identity_are_told_to_everybody(door: Door) -> None:
    status, kind, body = await door.answer("GET", "/healthz")
    assert (status, kind) == (200, "application/json")
    assert b'"ok"' in body
    assert (await door.answer("GET", "/v1/identity"))[0] == 200


async def test_a_handset_enrols_and_exchanges_over_http(door: Door) -> None:
    handset = await door.handset()
    ops = [handset.creates(put("summary", "上午走完一号线"))]
    raw = handset.request([handset.segment(ops)])
    status, kind, sealed = await door.answer("POST", "/v1/sync", raw)
    assert (status, kind) == (200, MEDIA_TYPE)
    response = handset.opened(sealed, raw, Purpose.SYNC_RESPONSE)
    assert isinstance(response, SyncResponse)
    assert response.accepted[0].count == 1


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "multipart/form-data; boundary=x"])
async def test_another_content_type_is_refused(door: Door, path: str, kind: str) -> None:
    assert await door.refusal(path, b"x", {"Content-Type": kind}) == "unsupported_media_type"


@pytest.mark.parametrize("encoding", ["gzip", "identity", "br", "deflate, gzip"])
async def test_an_encoded_body_is_refused_and_never_inflated(door: Door, encoding: str) -> None:
    headers = {"Content-Type": MEDIA_TYPE, "Content-Encoding": encoding}
    # Whoever tries to inflate what was never compressed answers otherwise.
    for body in (gzip.compress(bytes(64 << 20), 1), b"never compressed"):
        assert await door.refusal("/v1/sync", body, headers) == "unsupported_media_type"


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_above_the_limit_is_refused(door: Door, path: str) -> None:
    assert await door.refusal(path, b"\x01" * (MESSAGE_BYTES_MAX + 1)) == "too_large"
    assert await door.refusal(path, b"\x01" * MESSAGE_BYTES_MAX) in {
        "malformed",
        "unsupported_version",
        "unknown_key",
    }
    assert await door.is_well()


@pytest.mark.parametrize("path", POSTS)
async def test_bytes_that_say_nothing_are_refused(door: Door, path: str) -> None:
    random = dice(1, path)
    for length in (0, 1, 2, 14, 15, 46, 47, 126, 127, 500, 70_000):
        for first in (b"", b"\x01\x01\x01", b"\x01\x01\x03"):
            body = (first + random.randbytes(length))[:length]
            assert await door.refusal(path, body) in UNREADABLE


async def test_an_envelope_cut_or_changed_anywhere_is_refused_and_stores_nothing(door: Door) -> None:
    handset = await door.handset()
    raw = handset.request([handset.segment([handset.creates()])])
    changed = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(0, len(raw), 9)]
    for body in [*changed, *(raw[:length] for length in range(0, len(raw), 13)), raw + b"\x00"]:
        code = await door.refusal("/v1/sync", body)
        assert code in {*UNREADABLE, "unknown_device", "bad_signature"}
    response = handset.opened((await door.answer("POST", "/v1/sync", raw))[2], raw, Purpose.SYNC_RESPONSE)
    assert isinstance(response, SyncResponse)
    assert response.accepted[0].first_position == 1, "nothing of all that had been stored before"


async def test_an_envelope_at_the_wrong_door_is_refused(door: Door) -> None:
    handset = await door.handset()
    assert await door.refusal("/v1/enroll", handset.request()) == "malformed"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/sync", 405),
        ("PUT", "/v1/enroll", 405),
        ("DELETE", "/v1/identity", 405),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/v1/sync/../../etc/passwd", 404),
        ("POST", "/v2/sync", 404),
        ("GET", "/%00%ff", 404),
    ],
)
async def test_other_methods_and_paths_are_turned_away(door: Door, method: str, path: str, status: int) -> None:
    assert (await door.answer(method, path))[0] == status


async def test_the_local_door_answers_mistakes_with_a_sentence(door: Door) -> None:
    wrong: list[tuple[str, dict[str, object]]] = [
        ("dance", {}),
        ("enroll", {}),
        ("enroll", {"staff_no": "W1", "name": "张三", "grids": ["tenant"]}),
        ("enroll", {"staff_no": 1, "name": [], "grids": 7}),
        ("import", {"records": [{}]}),
        ("import", {"records": [{"id": 7, "kind": "grid", "values": {}}]}),
        ("import", {"records": "x"}),
        ("import", {"records": [{"id": "0" * 32, "kind": "grid", "values": {}}]}),
        ("import", {"records": [{"id": A_RECORD, "kind": "x", "values": {}}]}),
        (
            "import",
            {"records": [{"id": A_RECORD, "kind": "grid", "values": {"name": 1.5}}]},
        ),
    ]
    for name, facts in wrong:
        status, answer = await door.command(name, facts)
        assert status == 422, (name, facts)
        assert answer["zh"]
        assert answer["en"]


async def test_the_local_door_is_for_the_owner_only(door: Door) -> None:
    assert door.socket.stat().st_mode & 0o077 == 0


async def test_many_requests_at_once_are_all_answered(door: Door) -> None:
    handset = await door.handset()
    ops = [handset.creates() for _ in range(40)]
    requests = [handset.request([handset.segment(ops[:count])]) for count in range(1, 41)]
    answers = await asyncio.gather(*(door.answer("POST", "/v1/sync", raw) for raw in requests))
    assert {status for status, _, _ in answers} == {200}


def said(port: int, data: bytes) -> bytes:
    """Send raw bytes and return what comes back before the connection falls silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.3) as connection:
        heard = b""
        try:
            connection.sendall(data)
            while piece := connection.recv(1 << 16):
                heard += piece
        except (TimeoutError, ConnectionError):
            pass
        return heard


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + bytes(65536) + b"\r\n") * 20 + b"0\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"Content-Length: -3\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /heal\x00thz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\nHost: x\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=range(13),
)
def test_what_is_not_http_is_refused_in_one_word(process: ServerProcess, data: bytes) -> None:
    assert said(process.port, data).split(b" ")[1][:1] == b"4"
    assert said(process.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_strangers_leave_no_tracebacks_in_the_log(process: ServerProcess) -> None:
    for data in (HEAD + b"Content-Length: 1000\r\n\r\nabc", HEAD + b"Content-Length: 1\r\n\r\n\xff", b"\x00\r\n\r\n"):
        said(process.port, data)
    said(process.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert "Traceback" not in process.log


def test_the_server_ends_in_seconds_although_somebody_holds_the_line(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as running:
        silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(50)]
        for connection in silent[:10]:
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\nabc")
        assert said(running.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - started < 10
        for connection in silent:
            connection.close()
