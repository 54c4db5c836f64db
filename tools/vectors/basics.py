"""Vectors of what everything is made of: values, clocks and names, commitments, enrolment codes."""

from __future__ import annotations

from collections.abc import Mapping

from gridlog_protocol.canonical import NotCanonicalError, Value, pack, unpack
from gridlog_protocol.clock import Hlc, Stamp, observe, reading, tick
from gridlog_protocol.ids import record_id
from gridlog_protocol.invitation import Invitation, InvitationError, code_id, fingerprint, read_invitation
from gridlog_protocol.ops import commitment, edit_salt, op_salt
from gridlog_sync.admission import stamp_for
from tools.vectors.cast import SERVER_EXCHANGE, SERVER_SIGNING, START_MS, root
from tools.vectors.naming import Named, named, plain

Kept = Mapping[str, bytes]

_VALUES: dict[str, Value] = {
    "nil": None,
    "true": True,
    "zero": 0,
    "the largest short number": 127,
    "one byte": 128,
    "two bytes": 256,
    "four bytes": 1 << 16,
    "eight bytes": 1 << 32,
    "the largest number": (1 << 63) - 1,
    "a short negative": -32,
    "a negative of one byte": -33,
    "a negative of two bytes": -129,
    "the smallest number": -(1 << 63),
    "text": "网格员 𬀩 👍",
    "text that is not normalised": "e\u0301\u0000\u202e",
    "text of 32 bytes": "a" * 32,
    "text of 256 bytes": "a" * 256,
    "bytes": b"\x00\xff",
    "256 bytes": bytes(256),
    "an array": [1, [], [None]],
    "an array of 16": [0] * 16,
    "a map in order of UTF-8": {"\uffff": 1, "\U00010000": 2, "a": 3, "aa": 4, "b": {}},
}
_REFUSED: dict[str, str] = {
    "a number longer than it must be": "cc05",
    "a positive number with sign": "d005",
    "a number beyond 63 bits": "cf8000000000000000",
    "text longer than it must be": "d90161",
    "bytes longer than they must be": "c5000100",
    "an array longer than it must be": "dc000105",
    "map keys out of order": "82a16201a16102",
    "a map key twice": "82a16101a16102",
    "a map key that is a number": "810101",
    "a float": "cb3ff0000000000000",
    "an extension": "d40100",
    "a timestamp": "d6ff00000000",
    "bad UTF-8": "a1ff",
    "a surrogate": "a3eda080",
    "nothing": "",
    "something behind the value": "c0c0",
    "an array cut short": "9201",
    "arrays 17 deep": "91" * 17 + "c0",
}


def values(_: Kept) -> list[Named]:
    """Values and their one spelling; other spellings are refused."""
    vectors: list[Named] = [
        {"name": name, "bytes": pack(value).hex(), "meaning": plain(value)} for name, value in _VALUES.items()
    ]
    for name, raw in _REFUSED.items():
        try:
            unpack(bytes.fromhex(raw))
        except NotCanonicalError:
            vectors.append({"name": name, "bytes": raw, "refused": "malformed"})
        else:
            raise AssertionError(name)
    return vectors


def clocks(_: Kept) -> list[Named]:
    """Take readings of the hybrid clock, stamps, and ids of records."""
    vectors: list[Named] = []
    for name, ms, counter in (("a reading", START_MS, 7), ("the highest reading", (1 << 47) - 1, 0xFFFF)):
        given = named(milliseconds=ms, counter=counter)
        vectors.append({"name": name, "given": given, "meaning": named(hlc=reading(ms, counter))})
    last = reading(START_MS, 0xFFFF)
    for name, wall_ms in (
        ("the wall clock is ahead", START_MS + 5),
        ("it stands still", START_MS),
        ("it is 1970", -9),
    ):
        vectors.append(
            {"name": name, "given": named(last=last, wall_ms=wall_ms), "meaning": named(next=tick(last, wall_ms))}
        )
    stamps = [Stamp(reading(START_MS + 1, 3)), Stamp(reading(START_MS - 1))]
    vectors.append(
        {
            "name": "stamps are taken in",
            "given": named(last=last, stamps=[*stamps]),
            "meaning": named(next=observe(last, stamps)),
        }
    )
    for name, claimed_ms, above in (
        ("a claim stands", START_MS, 0),
        ("a claim of tomorrow is lowered", START_MS + 86_400_000, 0),
        ("a claim below what its author saw is raised", START_MS, reading(START_MS + 9, 4)),
        ("so is one that was lowered", START_MS + 86_400_000, reading(START_MS + 60_000, 9)),
    ):
        claim = Hlc(reading(claimed_ms))
        stamp = stamp_for(claim, server_ms=START_MS, above=Stamp(above))
        given = named(claimed=claim, server_ms=START_MS, seen_stamp=above)
        vectors.append({"name": name, "given": given, "meaning": named(stamp=stamp)})
    for name, ms, entropy in (
        ("a record id", START_MS, bytes(range(10))),
        ("all bits set", (1 << 48) - 1, b"\xff" * 10),
    ):
        made = record_id(ms, entropy)
        vectors.append(
            {"name": name, "given": named(milliseconds=ms, entropy=entropy), "meaning": named(record=made)}
        )
    return vectors


def commitments(_: Kept) -> list[Named]:
    """Salts of ops and edits, and what is committed to."""
    vectors: list[Named] = []
    cases: tuple[tuple[str, int, int, str, Value], ...] = (
        ("a phone number", 1, 1, "", "13800138000"),
        ("an emptied field", 255, 0, "", None),
        ("an element of the next block", 256, 511, "p1", {"id": "p1", "age": 70}),
        ("bytes, at the highest seq", (1 << 53) - 1, 3, "k", b"\x00\x01"),
    )
    for name, seq, index, key, value in cases:
        of_block = root(seq // 256)
        salt = op_salt(of_block, seq)
        of_edit = edit_salt(salt, index)
        vectors.append(
            {
                "name": name,
                "given": named(root=of_block, seq=seq, index=index, key=key, value=value),
                "meaning": named(op_salt=salt, edit_salt=of_edit, commitment=commitment(of_edit, key, value)),
            }
        )
    return vectors


def invitations(_: Kept) -> list[Named]:
    """Enrolment codes, as people may type them."""
    keys = SERVER_SIGNING.public_key().public_bytes_raw(), SERVER_EXCHANGE.public_key().public_bytes_raw()
    made = Invitation("https://grid.example.com", bytes(range(0x70, 0x80)), fingerprint(*keys))
    code = made.code()
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter.isalnum() else letter for letter in code)
    typed = {
        "as printed": code,
        "small letters and spaces": code.lower().replace("-", " "),
        "full-width letters": wide,
        "a letter changed": code.replace("GL1-O", "GL1-P"),
        "a letter missing": code[:-1],
        "another kind of code": "GL2" + code[3:],
    }
    vectors: list[Named] = []
    for name, text in typed.items():
        vector: Named = {"name": name, "given": named(code=text, signing_key=keys[0], exchange_key=keys[1])}
        try:
            read = read_invitation(text)
        except InvitationError:
            vectors.append(vector | {"refused": "not a code"})
        else:
            said = named(secret=read.secret, fingerprint=read.fingerprint, address=read.address)
            vectors.append(vector | {"meaning": said | named(code_id=code_id(read.secret))})
    return vectors
