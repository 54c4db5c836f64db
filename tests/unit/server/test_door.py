"""The parts of the door that are decided without a network: whose a request is, how often, and what a log may say."""

from __future__ import annotations

import json
import logging
import sqlite3
from ipaddress import ip_network
from pathlib import Path

import pytest

from gridlog_server.door.addresses import client_of, limited_as, read_address
from gridlog_server.door.logs import JsonLines, TextLines, Visit, name_device, visiting
from gridlog_server.door.rates import ADDRESSES_MAX, Rates
from gridlog_server.settings import SettingsError, load

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1"))
PLANTED = "三号楼李四家暴"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["10.9.9.9, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4," * 100_000 + "5.6.7.8"], "5.6.7.8"),
        ("::1", ["::ffff:1.2.3.4"], "1.2.3.4"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
    ],
)
def test_a_forwarded_address_is_believed_from_a_trusted_proxy_alone(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert str(client_of(read_address(peer), forwarded, PROXIES)) == client


def test_whoever_has_one_address_of_ipv6_has_all_of_its_network() -> None:
    one, other, foreign = (limited_as(read_address(each)) for each in ("2001:db8::1", "2001:db8::2:3", "2001:db9::1"))
    assert one == other != foreign


def test_a_burst_is_served_and_then_one_request_for_each_interval() -> None:
    rates = Rates(per_minute=60, burst=3)
    assert [rates.wait_s(1, now_s=100.0) for _ in range(4)] == [0, 0, 0, 1.0]
    assert rates.wait_s(1, now_s=100.5) == 0.5
    assert [rates.wait_s(1, now_s=101.0) for _ in range(2)] == [0, 1.0]
    assert rates.wait_s(2, now_s=100.0) == 0, "another address has a bucket of its own"


def test_addresses_that_rest_are_forgotten_and_never_too_many_are_kept() -> None:
    rates = Rates(per_minute=60, burst=3)
    for address in range(ADDRESSES_MAX + 50):
        rates.wait_s(address, now_s=0.0)
    assert len(rates) == ADDRESSES_MAX
    for address in range(ADDRESSES_MAX):
        rates.wait_s(address % 7, now_s=60.0 + address)
    assert len(rates) < 10


def failing(reason: Exception) -> logging.LogRecord:
    try:
        raise reason from KeyError(PLANTED)
    except type(reason) as caught:
        return logging.LogRecord(
            "x", logging.ERROR, "x.py", 1, "unforeseen", (), (type(caught), caught, caught.__traceback__)
        )


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()], ids=["json", "text"])
def test_a_logged_exception_says_where_and_never_what(formatter: logging.Formatter) -> None:
    line = formatter.format(failing(ValueError(PLANTED)))
    assert PLANTED not in line
    assert json.dumps(PLANTED)[1:-1] not in line
    assert "builtins.ValueError" in line
    assert "builtins.KeyError" in line
    assert "test_door.py" in line


def test_what_the_system_and_the_database_say_is_kept() -> None:
    assert "No space left" in JsonLines().format(failing(OSError(28, "No space left")))
    assert "disk I/O error" in JsonLines().format(failing(sqlite3.OperationalError("disk I/O error")))


def test_a_line_carries_the_request_and_its_device() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "a\nb %s", ("c",), None)
    with visiting(Visit("77")):
        name_device(b"\x01\x02")
        told = json.loads(JsonLines().format(record))
        plain = TextLines().format(record)
    assert (told["request"], told["device"], told["message"], told["level"]) == ("77", "0102", "a\nb c", "info")
    assert plain.endswith("a\\nb c request=77 device=0102")
    assert "request" not in json.loads(JsonLines().format(record))


def written(folder: Path, content: str) -> Path:
    (folder / "server.toml").write_text(f'host = "a"\nport = 1\naddress = "http://a"\n{content}\n', encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tls_certificate", '"a.pem"'),
        ("tls_key", '"a.pem"'),
        ("tls_key", "7"),
        ("trusted_proxies", '"10.0.0.1/8"'),
        ("trusted_proxies", "[7]"),
        ("trusted_proxies", "7"),
        ("metrics_listen", '"9464"'),
        ("metrics_listen", '"127.0.0.1:99999"'),
        ("metrics_listen", "9464"),
        ("connections_max", "0"),
        ("connections_per_address_max", '"many"'),
        ("requests_per_minute", "0.5"),
        ("requests_burst", "true"),
        ("header_seconds", "0"),
        ("header_seconds", "nan"),
        ("stall_seconds", "true"),
        ("stall_seconds", '"soon"'),
        ("log_format", '"xml"'),
        ("log_level", "1"),
    ],
)
def test_a_wrong_setting_of_the_door_is_named(tmp_path: Path, name: str, value: str) -> None:
    lacking = {'tls_certificate"a.pem"': "tls_key", 'tls_key"a.pem"': "tls_certificate"}.get(name + value, name)
    with pytest.raises(SettingsError, match=f"^Setting {lacking}:"):
        load(written(tmp_path, f"{name} = {value}"), {})


def test_settings_of_the_door_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    content = 'trusted_proxies = ["10.0.0.0/8"]\ntls_certificate = "a.pem"\ntls_key = "/b.pem"\nstall_seconds = 2\n'
    found = {"GRIDLOG_SERVER_TRUSTED_PROXIES": "192.0.2.1, ::1", "GRIDLOG_SERVER_STALL_SECONDS": "1.5"}
    settings = load(written(tmp_path, content + 'metrics_listen = "[::1]:9464"'), found)
    assert settings.trusted_proxies == (ip_network("192.0.2.1"), ip_network("::1"))
    assert (settings.tls_certificate, settings.tls_key) == (tmp_path / "a.pem", Path("/b.pem"))
    assert (settings.stall_seconds, settings.metrics_listen) == (1.5, ("::1", 9464))
