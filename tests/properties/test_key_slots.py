"""Whatever opens a store opens the same one; whatever was changed in its key file opens it or is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from gridlog import keyfile
from gridlog.credentials import Badge, Credential, Pin, Recovery, normalised
from gridlog.errors import GridlogError
from gridlog.kdf import KdfProfile
from gridlog.keyslots import kind_of, unwrap_master_key, wrap_master_key
from gridlog.vault import KEYS_FILE
from tests.unit.client.credentials_of import ALL, identity, make_with_all

COST = KdfProfile.WEAK_FOR_TESTS.value
STORE_ID = keyfile.StoreId(bytes(16))

SECRETS = st.binary(min_size=16, max_size=64)
PINS = st.builds(Pin, st.text("0123456789", min_size=6, max_size=12), st.one_of(st.just(b""), SECRETS))
CREDENTIALS = st.one_of(st.text(min_size=1), PINS, st.builds(Badge, SECRETS))


def meant(credential: str | Pin | Badge) -> tuple[object, ...]:
    """Return what a credential is made of; two of the same open the same."""
    match credential:
        case str():
            return str, normalised(credential)
        case Pin():
            return Pin, credential.digits, credential.device_secret
        case Badge():
            return Badge, credential.secret


@given(CREDENTIALS, st.lists(CREDENTIALS, max_size=4), st.binary(min_size=32, max_size=32))
@settings(max_examples=60, deadline=None)
def test_a_slot_gives_the_master_key_to_its_credential_and_to_no_other(
    own: str | Pin | Badge, others: list[str | Pin | Badge], master_key: bytes
) -> None:
    slot = wrap_master_key(
        master_key, own, store_id=STORE_ID, cost=COST, entropy=lambda count: hashlib.shake_256(b"").digest(count)
    )
    assert unwrap_master_key(slot, own, store_id=STORE_ID) == master_key
    for other in others:
        is_bound = isinstance(own, Pin) and bool(own.device_secret)
        if kind_of(other) is slot.kind and meant(other) != meant(own) and (is_bound or not isinstance(own, Pin)):
            assert unwrap_master_key(slot, other, store_id=STORE_ID) is None


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_anywhere_among_the_slots_never_opens_another_store(data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        store = Path(place)
        path = store / KEYS_FILE
        path.write_bytes(RAW)
        at = data.draw(st.integers(0, len(RAW) - 33), label="byte")
        bit = data.draw(st.integers(0, 7), label="bit")
        content = RAW[:at] + bytes([RAW[at] ^ 1 << bit]) + RAW[at + 1 : -32]
        is_fitted = data.draw(st.booleans(), label="the digest was made to fit")
        path.write_bytes(content + (hashlib.sha256(content).digest() if is_fitted else RAW[-32:]))
        opened = {each for credential in ALL if (each := found(store, credential))}
        assert opened <= ({IDENTITY} if is_fitted else set())


def found(store: Path, credential: Credential) -> tuple[bytes, ...] | None:
    try:
        return identity(store, credential)
    except GridlogError:
        return None


def _made() -> tuple[bytes, tuple[bytes, ...]]:
    with TemporaryDirectory() as place:
        make_with_all(Path(place))
        raw = (Path(place) / KEYS_FILE).read_bytes()
        return raw, identity(Path(place), next(each for each in ALL if isinstance(each, Recovery)))


RAW, IDENTITY = _made()
