from __future__ import annotations

from pathlib import Path

import pytest

from gridlog_server.settings import FILE, Settings, SettingsError, checked_address, load


def written(folder: Path, content: str) -> Path:
    (folder / FILE).write_text(content, encoding="utf-8")
    return folder


def a_file(
    folder: Path, *, host: str = '"127.0.0.1"', port: str = "8420", address: str = '"https://a.example"'
) -> Path:
    return written(folder, f"host = {host}\nport = {port}\naddress = {address}\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::", 'a"b\\c', "网格.example"])
def test_what_is_written_is_read_back(tmp_path: Path, host: str) -> None:
    settings = Settings(tmp_path, host, 0, "https://网格.example:8443/sync")
    assert load(written(tmp_path, settings.written()), {}) == settings


def test_everything_lies_in_the_data_directory(tmp_path: Path) -> None:
    settings = load(a_file(tmp_path), {})
    places = (settings.database, settings.keys, settings.socket, settings.lock)
    assert {place.parent for place in places} == {tmp_path}
    assert len({place.name for place in places}) == 4


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    found = {"GRIDLOG_SERVER_PORT": "9000", "GRIDLOG_SERVER_ADDRESS": "http://b.example/", "PORT": "1"}
    settings = load(a_file(tmp_path), found)
    assert (settings.host, settings.port, settings.address) == ("127.0.0.1", 9000, "http://b.example")


def test_a_directory_without_a_server_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="gridlog-server init"):
        load(tmp_path, {})


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=FILE):
        load(written(tmp_path, "port: 8420"), {})
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=FILE):
        load(tmp_path, {})


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="adress"):
        load(written(tmp_path, 'host = "a"\nport = 1\nadress = "http://a"\n'), {})


@pytest.mark.parametrize("port", ["-1", "65536", "true", '"²"', '""', '"84 20"', "84.2", '"٨"', "[1]"])
def test_a_port_is_a_number_from_0_to_65535(tmp_path: Path, port: str) -> None:
    with pytest.raises(SettingsError, match="port"):
        load(a_file(tmp_path, port=port), {})


@pytest.mark.parametrize("host", ['""', "1", "[]"])
def test_a_host_is_text(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="host"):
        load(a_file(tmp_path, host=host), {})


@pytest.mark.parametrize(
    "address", ["a.example", "ftp://a", "http://", "https:///x", "http://a b", "http://[", "http://" + "a" * 194]
)
def test_an_address_is_one_that_a_handheld_can_be_told(address: str) -> None:
    with pytest.raises(SettingsError, match="address"):
        checked_address(address)


def test_every_error_speaks_two_languages() -> None:
    with pytest.raises(SettingsError) as wrong:
        checked_address("x")
    assert "网址" in wrong.value.text.zh
    assert "URL" in wrong.value.text.en
