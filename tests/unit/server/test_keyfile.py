from __future__ import annotations

from pathlib import Path

import pytest

from gridlog_protocol.envelope import key_id
from gridlog_protocol.errors import ProtocolError
from gridlog_server.keyfile import KeyFileError, read_keys, write_keys
from gridlog_server.service.keys import ServerKeys


def test_keys_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    keys = ServerKeys.generate()
    write_keys(tmp_path / "keys", keys)
    assert read_keys(tmp_path / "keys").public == keys.public
    assert read_keys(tmp_path / "keys").fingerprint == keys.fingerprint


def test_nobody_but_the_owner_may_read_the_file(tmp_path: Path) -> None:
    write_keys(tmp_path / "keys", ServerKeys.generate())
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_keys_are_never_written_over_others(tmp_path: Path) -> None:
    keys = ServerKeys.generate()
    write_keys(tmp_path / "keys", keys)
    with pytest.raises(FileExistsError):
        write_keys(tmp_path / "keys", ServerKeys.generate())
    assert read_keys(tmp_path / "keys").public == keys.public


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="missing"):
        read_keys(tmp_path / "keys")


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\n", lambda raw: b"x" + raw[1:]])
def test_a_file_that_was_cut_or_changed_is_refused(tmp_path: Path, change: object) -> None:
    assert callable(change)
    write_keys(tmp_path / "keys", ServerKeys.generate())
    (tmp_path / "keys").write_bytes(change((tmp_path / "keys").read_bytes()))
    with pytest.raises(KeyFileError, match="damaged"):
        read_keys(tmp_path / "keys")


def test_an_envelope_for_another_key_is_refused() -> None:
    keys, others = ServerKeys.generate(), ServerKeys.generate()
    assert keys.reader(key_id(keys.exchange.public_key())) is keys.exchange
    with pytest.raises(ProtocolError) as refused:
        keys.reader(key_id(others.exchange.public_key()))
    assert refused.value.code == "unknown_key"
