"""An enrolment code survives being read out, and a slip of the finger is found before anything is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.invitation import (
    ADDRESS_BYTES_MAX,
    Invitation,
    InvitationError,
    code_id,
    fingerprint,
    read_invitation,
)

INVITATION = Invitation("https://grid.example.com", bytes(range(16)), fingerprint(b"s" * 32, b"x" * 32))
CODE = INVITATION.code()
FULL_WIDTH = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})


def test_a_code_comes_in_groups_of_five_letters_that_a_qr_code_stores_compactly() -> None:
    prefix, *groups = CODE.split("-")

    assert prefix == "GL1"
    assert {len(group) for group in groups[:-1]} == {5}
    assert set(CODE) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-")


@pytest.mark.parametrize(
    "spelt",
    [CODE, CODE.lower(), CODE.replace("-", ""), CODE.replace("-", " "), f" {CODE}\n", CODE.translate(FULL_WIDTH)],
)
def test_a_code_is_read_however_it_is_spelt(spelt: str) -> None:
    assert read_invitation(spelt) == INVITATION


@given(
    address=st.text(min_size=1, max_size=40), secret=st.binary(min_size=16, max_size=16), keys=st.binary(min_size=32)
)
def test_a_code_gives_back_what_it_was_made_of(address: str, secret: bytes, keys: bytes) -> None:
    invitation = Invitation(address, secret, fingerprint(keys, b""))

    assert read_invitation(invitation.code()) == invitation


@pytest.mark.parametrize("at", [index for index, letter in enumerate(CODE) if index > 3 and letter != "-"])
def test_one_wrong_letter_is_found(at: int) -> None:
    wrong = "A" if CODE[at] != "A" else "B"
    with pytest.raises(InvitationError):
        read_invitation(CODE[:at] + wrong + CODE[at + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GL1",
        "GL1-AAAAA",
        "GL2" + CODE[3:],
        CODE[4:],
        CODE[:-1],
        CODE + "A",
        CODE + "登",
        "GL1-登记码",
        "GL1-=",
        "GL1\0",
    ],
)
def test_other_text_is_no_code(text: str) -> None:
    with pytest.raises(InvitationError):
        read_invitation(text)


@given(text=st.text())
def test_no_text_can_crash_the_reader(text: str) -> None:
    for each in (text, "GL1" + text):
        with pytest.raises(InvitationError):
            read_invitation(each)


@pytest.mark.parametrize("address", ["", "h" * (ADDRESS_BYTES_MAX + 1)])
def test_a_code_without_a_fit_address_is_refused(address: str) -> None:
    with pytest.raises(InvitationError):
        read_invitation(Invitation(address, bytes(16), bytes(16)).code())


def test_a_fingerprint_tells_the_two_keys_apart() -> None:
    assert fingerprint(b"s" * 32, b"x" * 32) != fingerprint(b"x" * 32, b"s" * 32)


def test_the_name_of_a_code_does_not_tell_its_secret() -> None:
    assert len(code_id(bytes(16))) == 8
    assert code_id(bytes(16)) != code_id(b"s" * 16)
