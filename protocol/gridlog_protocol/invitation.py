"""The enrolment code: a server's address, a one-time secret and the fingerprint of the server's keys, as text.

The code is what pins the server: a device takes no other keys than those whose fingerprint it was handed. Its
alphabet is base32 (RFC 4648), which a QR code stores compactly and a person can read out; four check bytes catch
a slip of the finger before anything is sent.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from dataclasses import dataclass

from .texts import Text

PREFIX = "GL1"
SECRET_BYTES = 16
FINGERPRINT_BYTES = 16
ADDRESS_BYTES_MAX = 200
_GROUP = 5


class InvitationError(ValueError):
    """The text is not an enrolment code, or a letter of it is wrong."""

    text = Text(
        "登记码不正确，请核对有没有漏字或错字。",
        "This is not a valid enrolment code. Check for missing or wrong letters.",
    )


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an enrolment code says. `address` is the server's base URL."""

    address: str
    secret: bytes
    fingerprint: bytes

    def code(self) -> str:
        """Write the code, in groups of five letters."""
        plain = self.secret + self.fingerprint + self.address.encode()
        letters = base64.b32encode(plain + _check(plain)).decode().rstrip("=")
        groups = [letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP)]
        return "-".join([PREFIX, *groups])


def fingerprint(signing_key: bytes, exchange_key: bytes) -> bytes:
    """Return the 16 bytes by which a code pins a server's Ed25519 and X25519 public keys (32 bytes each)."""
    whole = hashlib.sha256(b"gridlog v1 server keys" + signing_key + exchange_key).digest()
    return whole[:FINGERPRINT_BYTES]


def code_id(secret: bytes) -> bytes:
    """Return the 8 bytes that address an enrolment: the server finds the code by them, and learns no secret."""
    return hashlib.sha256(b"gridlog v1 code id" + secret).digest()[:8]


def read_invitation(text: str) -> Invitation:
    """Read an enrolment code, forgiving spaces, hyphens, small and full-width letters. Raises InvitationError."""
    letters = "".join(unicodedata.normalize("NFKC", text).upper().split()).replace("-", "")
    if not letters.startswith(PREFIX):
        raise InvitationError("no enrolment code")
    body = letters[len(PREFIX) :]
    try:
        raw = base64.b32decode(body + "=" * (-len(body) % 8))
        plain, check = raw[:-4], raw[-4:]
        address = plain[SECRET_BYTES + FINGERPRINT_BYTES :].decode()
    except ValueError:
        raise InvitationError("not base32 text") from None
    if check != _check(plain) or not 0 < len(address) <= ADDRESS_BYTES_MAX:
        raise InvitationError("check bytes differ")
    secret, keys = plain[:SECRET_BYTES], plain[SECRET_BYTES : SECRET_BYTES + FINGERPRINT_BYTES]
    return Invitation(address, secret, keys)


def _check(plain: bytes) -> bytes:
    return hashlib.sha256(b"gridlog v1 code check" + plain).digest()[:4]
