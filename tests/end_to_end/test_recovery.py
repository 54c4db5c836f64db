"""A worker forgot the passphrase: the office opens the store with its recovery key, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.end_to_end.processes import GRID, DeviceCommands, Finished, ServerProcess, run_command

pytestmark = pytest.mark.long

OFFICE = "two people know half of this each"


def pem(key: X25519PrivateKey | Ed25519PrivateKey, secret: str = "") -> bytes:
    protection = BestAvailableEncryption(secret.encode()) if secret else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def public_pem(key: X25519PrivateKey | Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the office's key and a store that was enrolled while the server named it."""
    place = tmp_path_factory.mktemp("office")
    key = X25519PrivateKey.generate()
    (place / "key.pem").write_bytes(pem(key, OFFICE))
    (place / "another.pem").write_bytes(pem(X25519PrivateKey.generate()))
    (place / "signing.pem").write_bytes(pem(Ed25519PrivateKey.generate()))
    server = ServerProcess(place / "server")
    (place / "server" / "recovery.pem").write_bytes(public_pem(key))
    with server:
        device = DeviceCommands(place / "store")
        assert device.run("enrol", server.admin_enroll("W1", "张三", GRID)).code == 0
    done = device.run("write", "patrol", "patrol_type=daily", "started_at=now", "leader=me", "summary=路灯不亮")
    assert done.code == 0, done
    return place


def recovered(place: Path, key: str, secret: str = OFFICE) -> Finished:
    environment = {
        "GRIDLOG_STORE": str(place / "store"),
        "GRIDLOG_RECOVERY_PASSPHRASE": secret,
        "GRIDLOG_PASSPHRASE": "a new passphrase",
        "GRIDLOG_LANG": "en",
        "GRIDLOG_WEAK_KDF_FOR_TESTS": "1",
    }
    return run_command("gridlog", "recover", str(place / key), environment=environment)


@pytest.mark.parametrize(
    ("key", "secret", "says"),
    [
        ("key.pem", "not this one", "Wrong passphrase of the recovery key"),
        ("another.pem", OFFICE, "recovery key"),
        ("signing.pem", OFFICE, "must be an X25519 private key"),
        ("server/recovery.pem", OFFICE, "no private key"),
        ("missing.pem", OFFICE, "Cannot read the recovery key"),
    ],
)
def test_another_key_opens_nothing_and_says_so(office: Path, key: str, secret: str, says: str) -> None:
    done = recovered(office, key, secret)

    assert (done.code, done.out) == (1, "")
    assert says in done.err
    assert "Traceback" not in done.err


def test_the_office_sets_a_new_passphrase_and_the_notes_are_there(office: Path) -> None:
    done = recovered(office, "key.pem")

    assert (done.code, done.err) == (0, "")
    old = DeviceCommands(office / "store")
    assert "passphrase" in old.run("list", "patrol").err
    new = DeviceCommands(office / "store", passphrase="a new passphrase")
    assert "on this phone only" in new.run("list", "patrol").out
    assert "recovery key" in new.run("unlock").out


def test_a_server_does_not_start_with_a_recovery_key_that_is_none(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "server")
    (tmp_path / "server" / "recovery.pem").write_bytes(public_pem(Ed25519PrivateKey.generate()))

    done = server.command("run")

    assert done.code == 1
    assert "X25519 public key in PEM" in done.err
