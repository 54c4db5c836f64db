"""HTTPS without a proxy: what is spoken, what is not, and a certificate that is exchanged while the server runs."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.end_to_end.processes import ServerProcess, run_command

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SETTINGS = {
    "GRIDLOG_SERVER_TLS_CERTIFICATE": "tls.pem",
    "GRIDLOG_SERVER_TLS_KEY": "tls.key",
    "GRIDLOG_SERVER_HEADER_SECONDS": "0.5",
    "GRIDLOG_SERVER_CONNECTIONS_MAX": "20",
}
PATIENCE_S = 20.0


def certify(folder: Path) -> None:
    """Write a new key, and a certificate that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "tls.key").write_bytes(private)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("tls") / "data", environment=SETTINGS)
    certify(running.data_dir)
    with running:
        yield running


def client(trusted: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=trusted)


def said(server: ServerProcess, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(ASK)
        return secured.recv(1 << 16)


def test_https_is_spoken_old_tls_and_plain_http_are_not(server: ServerProcess) -> None:
    assert f"Listening on https://127.0.0.1:{server.port}" in server.log
    trusting = client(server.data_dir / "tls.pem")
    assert said(server, trusting).startswith(b"HTTP/1.1 200")
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    assert said(server, trusting).startswith(b"HTTP/1.1 200")
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as plain:
        plain.sendall(ASK)
        assert not plain.recv(1 << 16).startswith(b"HTTP/")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        said(server, old)
    assert "Traceback" not in server.log


def test_handshakes_that_nobody_finishes_are_counted_and_end(server: ServerProcess) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) for _ in range(40)]
    for each in silent:
        # Closed, at once or when the time for a handshake is over; a timeout here would fail.
        with suppress(ConnectionError):
            assert each.recv(1) == b""
        each.close()
    assert said(server, client(server.data_dir / "tls.pem")).startswith(b"HTTP/1.1 200")


def test_a_new_certificate_is_taken_at_a_hang_up_and_a_broken_one_is_not(server: ServerProcess) -> None:
    certificate = server.data_dir / "tls.pem"
    certify(server.data_dir)
    server.hang_up()
    wait_for(server, "read again")
    assert said(server, client(certificate)).startswith(b"HTTP/1.1 200")

    working = certificate.read_bytes()
    certificate.write_text("broken", encoding="utf-8")
    server.hang_up()
    wait_for(server, "the old certificate stays")
    certificate.write_bytes(working)
    assert said(server, client(certificate)).startswith(b"HTTP/1.1 200")


def test_a_server_without_its_certificate_says_so_and_does_not_start(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    found = {"GRIDLOG_SERVER_DATA": str(server.data_dir)} | SETTINGS
    done = run_command("gridlog-server", "run", environment=found)
    assert done.code == 1
    assert "tls.pem" in done.err


def wait_for(server: ServerProcess, words: str) -> None:
    for _ in range(200):
        if words in server.log:
            return
        time.sleep(0.1)
    raise AssertionError(server.log)
