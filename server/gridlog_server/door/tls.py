"""Make what speaks TLS from two files."""

from __future__ import annotations

import ssl
from pathlib import Path


class TlsError(Exception):
    """Certificate and key cannot be used. The message says which file, and why."""


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a server's context: TLS 1.2 or newer, Python's choice of ciphers. Raises TlsError."""
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as reason:
            raise TlsError(f"{path}: {reason.strerror}") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation costs the server ten times what it costs the client.
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        # Without a password to give, OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as reason:
        raise TlsError(f"{certificate}, {key}: {reason}") from None
    return context
