"""What the network can do to the door: each case is refused in a word, and harms nobody.

One server for all, with short deadlines; each test ends with the proof that it is unharmed.
"""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from gridlog_protocol.limits import MESSAGE_BYTES_MAX
from gridlog_protocol.messages import SyncResponse
from tests.end_to_end.doors import HEAD, MEDIA_TYPE, WELL, Door, heard, reset, stranger
from tests.end_to_end.processes import ServerProcess
from tests.unit.server.building import put

PER_ADDRESS, BURST = 50, 400
PROXY, OTHER_PROXY = "127.9.0.1", "127.9.0.2"
SETTINGS = {
    "GRIDLOG_SERVER_HEADER_SECONDS": "0.5",
    "GRIDLOG_SERVER_STALL_SECONDS": "0.5",
    "GRIDLOG_SERVER_CONNECTIONS_PER_ADDRESS_MAX": str(PER_ADDRESS),
    "GRIDLOG_SERVER_REQUESTS_PER_MINUTE": "60",
    "GRIDLOG_SERVER_REQUESTS_BURST": str(BURST),
    "GRIDLOG_SERVER_TRUSTED_PROXIES": "127.9.0.0/16",
    "GRIDLOG_SERVER_LOG_FORMAT": "json",
    "GRIDLOG_SERVER_LOG_LEVEL": "debug",
}
PLANTED = "三号楼李四家暴投诉"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def opened_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with ServerProcess(tmp_path_factory.mktemp("transport") / "data", environment=SETTINGS) as running:
        yield Door(running)


@pytest.fixture(autouse=True)
def door(opened_door: Door) -> Iterator[Door]:
    with opened_door.unharmed():
        yield opened_door


def status_of(answer: bytes) -> int:
    assert answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), answer[:200]
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", id="CL+TE"
        ),
        pytest.param(HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", id="double CL"),
        pytest.param(HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", id="CL twice the same"),
        pytest.param(HEAD + b"Content-Length: 3, 3\r\n\r\nabc", id="list of CL"),
        pytest.param(HEAD + b"Content-Length: -3\r\n\r\nabc", id="negative CL"),
        pytest.param(HEAD + b"Content-Length: +3\r\n\r\nabc", id="CL with a sign"),
        pytest.param(HEAD + b"Content-Length: 9" + b"9" * 5000 + b"\r\n\r\nabc", id="endless CL"),
        pytest.param(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", id="coded and chunked"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", id="chunk without size"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", id="chunk too long"),
        pytest.param(HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="space before the colon"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n\r\n", id="missing Host"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", id="oversized header"
        ),
        pytest.param(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="oversized line"),
        pytest.param(GET + b"".join(b"X%d: a\r\n" % n for n in range(20_000)) + b"\r\n", id="20,000 headers"),
        pytest.param(b"GET /heal\0thz HTTP/1.1\r\nHost: x\r\n\r\n", id="NUL in the path"),
        pytest.param(GET + b"X: a\0b\r\n\r\n", id="NUL in a header"),
        pytest.param(b"GET /healthz HTTP/1.1\nHost: x\n\n", id="bare LF"),
        pytest.param(GET + b"X: a\nY: b\r\n\r\n", id="bare LF in a header"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS without TLS"),
        pytest.param(b"\0\r\n\r\n", id="noise"),
    ],
)
def test_what_is_not_http_is_refused_once_and_the_line_closed(door: Door, data: bytes) -> None:
    # What follows would be served to somebody else by a proxy that counts otherwise than we do.
    answer = door.said(data + WELL)
    assert 400 <= status_of(answer) < 500
    assert answer.count(b"\r\nDate: ") == 1


@pytest.mark.parametrize(
    "sent", [b"", b"GET /he", HEAD, HEAD + b"X-Slow: "], ids=["silent", "line", "headers", "header"]
)
def test_headers_that_do_not_end_close_the_line(door: Door, sent: bytes) -> None:
    assert door.said(sent) == b""


def test_headers_that_trickle_close_the_line(door: Door) -> None:
    with door.connect(stranger()) as connection:
        connection.sendall(HEAD)
        assert trickled(connection, b"X: a\r\n") == b""


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1000\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
def test_a_body_that_stalls_is_told_so(door: Door, framing: bytes) -> None:
    assert status_of(door.said(HEAD + framing)) == 408


def test_a_body_that_trickles_is_told_so(door: Door) -> None:
    with door.connect(stranger()) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        assert status_of(trickled(connection, b"a")) == 408


def trickled(connection: socket.socket, piece: bytes) -> bytes:
    """Send a piece now and then, each well before a stall, until the other side has had enough."""
    got = b""
    connection.settimeout(0.1)
    for _ in range(200):
        try:
            connection.sendall(piece)
            received = connection.recv(1 << 16)
        except TimeoutError:
            continue
        except ConnectionError:
            return got
        if not received:
            return got
        got += received
    raise AssertionError("it waits for ever")


def test_500_silent_connections_of_one_address_keep_nobody_else_out(door: Door) -> None:
    source = stranger()
    silent = [door.connect(source) for _ in range(500)]
    assert door.is_well()
    refused = door.metrics()["gridlog_connections_refused_total", "address"]
    assert refused >= 500 - PER_ADDRESS
    assert [heard(each) for each in silent] == [b""] * 500, "and all are closed"
    assert status_of(door.said(WELL, source)) == 200
    for each in silent:
        each.close()


def test_a_body_that_says_it_is_too_long_is_refused_before_it_is_read(door: Door) -> None:
    answer = door.said(HEAD + f"Content-Length: {1 << 40}\r\n\r\n".encode())
    assert status_of(answer) == 413
    assert b"too_large" in answer


def test_an_endless_chunked_body_is_cut_at_the_limit(door: Door) -> None:
    with door.connect(stranger()) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
        sent = 0
        try:
            while True:
                connection.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass
    assert sent > MESSAGE_BYTES_MAX
    chunks = chunk * 17 + b"0\r\n\r\n"
    assert status_of(door.said(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)) == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-made-up", "identity", "gzip, gzip"])
def test_an_encoded_body_is_refused_and_a_bomb_not_inflated(door: Door, encoding: str) -> None:
    headers = {"Content-Type": MEDIA_TYPE, "Content-Encoding": encoding}
    bomb = gzip.compress(bytes(64 << 20), 1)
    assert door.line().refused("/v1/sync", bomb, headers) == "unsupported_media_type"


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/octet-stream", "multipart/form-data; boundary=x", ";"]
)
def test_another_content_type_is_refused(door: Door, kind: str) -> None:
    assert door.line().refused("/v1/enroll", b"x", {"Content-Type": kind}) == "unsupported_media_type"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sync/../identity",
        "/v1//identity",
        "//v1/identity",
        "/v1/identity/",
        "/v1/identity%00",
        "/v1/%2e%2e/v1/identity",
        "/v1/identity;x",
        "/V1/identity",
        "/v1/identity%2f",
        "/..%2f..%2fetc/passwd",
        "/metrics",
        "/enroll",
        "/%ff%fe",
        "http://elsewhere.example/v1/sync/../../metrics",
    ],
)
def test_a_path_is_one_of_ours_to_the_letter_or_nothing(door: Door, path: str) -> None:
    answer = door.said(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status_of(answer) in (400, 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "CONNECT", "TRACE", "OPTIONS", "FROB"])
def test_another_method_is_refused(door: Door, method: str) -> None:
    answer = door.said(f"{method} /v1/sync HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status_of(answer) in (400, 404, 405)


def flooded(door: Door, source: str, header: bytes = b"") -> list[int]:
    """Ask more often than one address may, and return the statuses."""
    names = (header % number if b"%d" in header else header for number in count())
    requests = b"".join(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + next(names) + b"\r\n" for _ in range(BURST + 20))
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + next(names) + b"\r\n"
    answer = door.said(requests + last, source)
    statuses = [int(each[:3]) for each in answer.split(b"HTTP/1.1 ")[1:]]
    assert len(statuses) == BURST + 21
    if 429 in statuses:
        assert b"Retry-After: " in answer
        assert b"too_many_requests" in answer
    return statuses


def test_a_flood_is_told_when_to_come_back_and_nobody_else_hears_of_it(door: Door) -> None:
    source = stranger()
    assert flooded(door, source)[-1] == 429
    assert door.is_well()
    assert status_of(door.said(WELL, source)) == 429


def test_nothing_is_lost_by_a_flood(door: Door) -> None:
    handset, line = door.handset("W429")
    raw = handset.request([handset.segment([handset.creates(put("note", "写在洪水之前"))])])
    flooded(door, line.source)
    status, refused = line.asked("POST", "/v1/sync", raw)
    assert (status, json.loads(refused)["code"]) == (429, "too_many_requests")
    answer = door.line().exchanged(handset, raw)
    assert isinstance(answer, SyncResponse)
    assert [run.count for run in answer.accepted] == [1]


def test_a_forged_forwarded_address_makes_nobody_somebody_else(door: Door) -> None:
    assert flooded(door, stranger(), b"X-Forwarded-For: 198.51.100.%d\r\n")[-1] == 429


def test_clients_behind_a_trusted_proxy_are_told_apart_and_cannot_forge_either(door: Door) -> None:
    assert flooded(door, PROXY, b"X-Forwarded-For: 198.51.100.%d, 192.0.2.1\r\n")[-1] == 429
    answer = door.said(GET + b"Connection: close\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n", OTHER_PROXY)
    assert status_of(answer) == 200


def test_a_proxy_has_as_many_connections_as_its_clients_need(door: Door) -> None:
    connections = [door.connect(OTHER_PROXY) for _ in range(PER_ADDRESS + 20)]
    for each in connections:
        each.sendall(WELL)
    assert {status_of(heard(each)) for each in connections} == {200}
    for each in connections:
        each.close()


def test_an_upload_that_is_cut_before_its_answer_is_stored_once(door: Door) -> None:
    handset, line = door.handset("W-cut")
    before = door.metrics()["gridlog_ops_total", "accepted"]
    raw = handset.request([handset.segment([handset.creates(put("note", "断线之前"))])])
    head = HEAD + f"Content-Length: {len(raw)}\r\n\r\n".encode()
    for _ in range(3):
        connection = door.connect(line.source)
        connection.sendall(head + raw)
        reset(connection)
    answers = [line.exchanged(handset, raw) for _ in range(3)]
    facts = set()
    for each in answers:
        assert isinstance(each, SyncResponse)
        assert each.receipt is not None
        (run,) = each.accepted
        facts.add((run.first_position, run.count, each.receipt.up_to_seq))
    assert len(facts) == 1, "the same receipt"
    assert door.metrics()["gridlog_ops_total", "accepted"] - before >= 3
    assert len({line.exchanged(handset, handset.request()).to_position for _ in range(2)}) == 1  # type: ignore[union-attr]


def test_answers_that_nobody_takes_do_not_keep_a_connection(door: Door) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.bind((stranger(), 0))
        connection.connect(("127.0.0.1", door.process.port))
        connection.settimeout(0.2)
        try:
            for _ in range(200):
                connection.sendall(b"GET /v1/identity HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        except (TimeoutError, ConnectionError):
            pass
        wait_until(lambda: door.metrics()["gridlog_connections",] == 0)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to be so")


def test_no_log_line_has_a_word_of_a_note_whatever_happens(door: Door) -> None:
    handset, line = door.handset("W-log", PLANTED)
    raw = handset.request([handset.segment([handset.creates(put("note", PLANTED), put("summary", PLANTED))])])
    assert isinstance(line.exchanged(handset, raw), SyncResponse)
    planted = PLANTED.encode()
    line.asked("POST", "/v1/sync", planted)
    line.asked("POST", "/v1/sync?note=" + "%E4%B8%89", raw, {"Content-Type": MEDIA_TYPE, "X-Note": "x"})
    door.said(b"GET /healthz?" + planted + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    lines = [json.loads(each) for each in door.process.log.splitlines() if each.startswith("{")]
    said = [each for each in lines if each.get("device") == handset.handle.hex()]
    assert {each["path"] for each in said if each["message"] == "request"} == {"/v1/sync"}
    assert {"status", "ms", "bytes_in", "bytes_out", "request", "address", "method"} <= said[-1].keys()
    for form in (PLANTED, json.dumps(PLANTED)[1:-1], planted.hex(), repr(planted)[2:-1], "%E4%B8%89"):
        assert form not in door.process.log


def test_the_door_stands_to_readiness_and_metrics(door: Door) -> None:
    before = defaultdict(float, door.metrics())
    handset, line = door.handset("W-metrics")
    assert isinstance(line.exchanged(handset, handset.request([handset.segment([handset.creates()])])), SyncResponse)
    assert flooded(door, stranger())[-1] == 429
    assert status_of(door.said(b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == 404
    answer = door.said(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 200
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"status": "ready", "readable": True, "writable": True}
    metrics = door.metrics()
    counted = {key for key in metrics if metrics[key] > before[key]}
    assert counted >= {
        ("gridlog_exchange_seconds_count",),
        ("gridlog_http_requests_total", "/readyz", "200"),
        ("gridlog_http_requests_total", "other", "404"),
        ("gridlog_refusals_total", "too_many_requests"),
    }
    # Looked up now and then, not at each request.
    wait_until(lambda: door.metrics()["gridlog_log_position",] > before["gridlog_log_position",])
    assert metrics["gridlog_writable",] == 1
    assert metrics["gridlog_disk_free_bytes",] > 0
    assert metrics["gridlog_stored", "waiting"] == 0
