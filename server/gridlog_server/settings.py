"""What an operator can set: one file in the data directory, with the environment above it.

Every setting is one row of a table: its name, and what reads it. Whatever is wrong is refused by name at the start.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gridlog_protocol.invitation import ADDRESS_BYTES_MAX
from gridlog_protocol.texts import Text

FILE = "server.toml"
ENVIRONMENT_PREFIX = "GRIDLOG_SERVER_"
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")
Network: TypeAlias = IPv4Network | IPv6Network


class SettingsError(Exception):
    """A setting is missing or wrong. The message names it, and what would be right."""

    def __init__(self, setting: str, zh: str, en: str) -> None:
        self.text = Text(f"设置 {setting}：{zh}", f"Setting {setting}: {en}")
        super().__init__(self.text.en)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the data is, where to listen, the address that enrolment codes tell handhelds, and what strangers may.

    An address that is limited is a client's: behind a trusted proxy the one that the proxy names. Of IPv6, a /64.
    """

    data: Path
    host: str
    port: int
    address: str

    tls_certificate: Path | None = None
    """PEM file with the certificate and its chain. With it the server speaks HTTPS, and nothing else."""
    tls_key: Path | None = None
    """PEM file with the private key."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose X-Forwarded-For is believed. Nobody else's is."""
    metrics_listen: tuple[str, int] | None = None
    """Host and port of a listener of its own for metrics."""

    connections_max: int = 2000
    """Open connections. Each may hold one message, so this bounds memory too."""
    connections_per_address_max: int = 200
    """Open connections of one address: a carrier has many handhelds behind one."""
    requests_per_minute: int = 1200
    """Requests of one address, on average."""
    requests_burst: int = 300
    """Requests of one address at once, after a pause."""
    header_seconds: float = 20.0
    """How long a request's headers may take, a TLS handshake too, and how long a connection may rest between two."""
    stall_seconds: float = 25.0
    """How long nothing may arrive of a body, or be taken of an answer."""

    time_zone: str = ""
    """Zone of the times in the console's pages, e.g. `Asia/Shanghai`. Empty: this machine's."""

    log_format: str = "text"
    log_level: str = "info"

    @property
    def database(self) -> Path:
        """The tenant's database."""
        return self.data / "gridlog.db"

    @property
    def keys(self) -> Path:
        """The server's private keys: kept outside the database, backed up apart from it."""
        return self.data / "server.keys"

    @property
    def recovery_key(self) -> Path:
        """The public half of the organisation's recovery key, PEM. The private half is never on the server."""
        return self.data / "recovery.pem"

    @property
    def socket(self) -> Path:
        """The local door for commands while the server runs."""
        return self.data / "admin.sock"

    @property
    def control(self) -> Path:
        """Who may speak to this server: kept outside the database and its backups (see `control`)."""
        return self.data / "control.journal"

    @property
    def lock(self) -> Path:
        """Held by the one process that may write."""
        return self.data / "lock"

    def written(self) -> str:
        """Return the settings file's content."""
        return (
            "# Gridlog server. Each setting can be overridden by the environment, e.g. GRIDLOG_SERVER_PORT.\n"
            "# There are more, for TLS, proxies, limits and logs: see server/README.md.\n"
            f"host = {_quoted(self.host)}        # address to listen on\n"
            f"port = {self.port}             # port to listen on; 0 picks a free one\n"
            f"address = {_quoted(self.address)}  # how handhelds reach this server; enrolment codes carry it\n"
        )


def load(data: Path, environment: Mapping[str, str]) -> Settings:
    """Read the settings of a data directory. Raises SettingsError."""
    path = data / FILE
    try:
        found: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        zh, en = (
            f"{data} 里没有服务器数据，请先运行 gridlog-server init。",
            f"no server in {data}; run gridlog-server init",
        )
        raise SettingsError("data", zh, en) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise SettingsError(FILE, f"文件格式不正确（{reason}）。", f"not a TOML file ({reason})") from None
    for name in _READERS:
        if ENVIRONMENT_PREFIX + name.upper() in environment:
            found[name] = environment[ENVIRONMENT_PREFIX + name.upper()]
    unknown = sorted(set(found) - set(_READERS))
    if unknown:
        raise SettingsError(unknown[0], "没有这一项设置。", "there is no such setting")
    for name in ("host", "port", "address"):
        if name not in found:
            raise SettingsError(name, "缺少这一项设置。", "missing")
    return Settings(data, **_with_tls_files({name: _READERS[name](name, found[name]) for name in found}, data))


def _with_tls_files(read: dict[str, Any], data: Path) -> dict[str, Any]:
    names = ("tls_certificate", "tls_key")
    given = [name for name in names if read.get(name) is not None]
    if len(given) == 1:
        (lacking,) = set(names) - set(given)
        raise SettingsError(lacking, "证书和私钥须一起设置。", "a certificate and its key go together")
    return read | {name: data / read[name] for name in given}


def checked_address(address: str) -> str:
    """Return an address that a handheld can be told. Raises SettingsError."""
    is_web = address.startswith(("http://", "https://")) and _has_host(address)
    if not is_web or len(address.encode()) > ADDRESS_BYTES_MAX or any(letter.isspace() for letter in address):
        zh = f"应为 http:// 或 https:// 开头的网址，不超过 {ADDRESS_BYTES_MAX} 字节。"
        raise SettingsError("address", zh, f"a URL with http:// or https://, at most {ADDRESS_BYTES_MAX} bytes")
    return address.rstrip("/")


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(text, ensure_ascii=False)


def _has_host(address: str) -> bool:
    try:
        return bool(urlsplit(address).hostname)
    except ValueError:
        return False


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(name, "缺少，或不是文字。", "missing, or not text")
    return value


def _address(name: str, value: object) -> str:
    return checked_address(_text(name, value))


def _path(name: str, value: object) -> Path | None:
    if not isinstance(value, str):
        raise SettingsError(name, "应为文件路径。", "the path of a file")
    return Path(value) if value else None


def _whole(least: int, most: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        # `isdigit` would take "²" as well, which is no number. Of more digits `int` refuses to make anything.
        is_number = isinstance(value, int) or (
            isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20
        )
        if not is_number or isinstance(value, bool) or not least <= int(str(value)) <= most:
            raise SettingsError(name, f"应为 {least} 到 {most} 的整数。", f"a whole number from {least} to {most}")
        return int(str(value))

    return read


def _seconds(name: str, value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    # What is not a number is not between numbers either.
    if not 0.1 <= number <= 3600:
        raise SettingsError(name, "应为 0.1 到 3600 的秒数。", "seconds, from 0.1 to 3600")
    return number


def _one_of(*choices: str) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            named = ", ".join(choices)
            raise SettingsError(name, f"应为其中之一：{named}。", f"one of {named}")
        return value

    return read


def _zone(name: str, value: object) -> str:
    try:
        if value:
            ZoneInfo(str(value))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise SettingsError(name, "应为时区名，如 Asia/Shanghai。", "a time zone, e.g. Asia/Shanghai") from None
    return str(value)


def _networks(name: str, value: object) -> tuple[Network, ...]:
    parts = value.replace(",", " ").split() if isinstance(value, str) else value
    try:
        # As text: a number is an address to `ipaddress`, and never what somebody meant.
        return tuple(
            ip_network(part if isinstance(part, str) else "")
            for part in (parts if isinstance(parts, list) else [value])
        )
    except ValueError:
        zh = "应为地址或网段的列表，如 10.0.0.0/8。"
        raise SettingsError(name, zh, "a list of addresses or networks, e.g. 10.0.0.0/8") from None


def _endpoint(name: str, value: object) -> tuple[str, int] | None:
    if value == "":
        return None
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    is_number = port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535
    if not colon or not host or not is_number:
        raise SettingsError(name, "应为 主机:端口，如 127.0.0.1:9464。", "HOST:PORT, e.g. 127.0.0.1:9464")
    return host.strip("[]"), int(port)


_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "host": _text,
    "port": _whole(0, 65535),
    "address": _address,
    "tls_certificate": _path,
    "tls_key": _path,
    "trusted_proxies": _networks,
    "metrics_listen": _endpoint,
    "connections_max": _whole(1, 1_000_000),
    "connections_per_address_max": _whole(1, 1_000_000),
    "requests_per_minute": _whole(1, 1_000_000),
    "requests_burst": _whole(1, 1_000_000),
    "header_seconds": _seconds,
    "stall_seconds": _seconds,
    "time_zone": _zone,
    "log_format": _one_of(*LOG_FORMATS),
    "log_level": _one_of(*LOG_LEVELS),
}
