"""What an operator can set: one file in the data directory, with the environment above it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gridlog_protocol.invitation import ADDRESS_BYTES_MAX
from gridlog_protocol.texts import Text

FILE = "server.toml"
ENVIRONMENT_PREFIX = "GRIDLOG_SERVER_"


class SettingsError(Exception):
    """A setting is missing or wrong. The message names it, and what would be right."""

    def __init__(self, setting: str, zh: str, en: str) -> None:
        self.text = Text(f"设置 {setting}：{zh}", f"Setting {setting}: {en}")
        super().__init__(self.text.en)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the data is, where to listen, and the address that enrolment codes tell handhelds."""

    data: Path
    host: str
    port: int
    address: str

    @property
    def database(self) -> Path:
        """The tenant's database."""
        return self.data / "gridlog.db"

    @property
    def keys(self) -> Path:
        """The server's private keys: kept outside the database, backed up apart from it."""
        return self.data / "server.keys"

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
    for name in ("host", "port", "address"):
        if ENVIRONMENT_PREFIX + name.upper() in environment:
            found[name] = environment[ENVIRONMENT_PREFIX + name.upper()]
    unknown = sorted(set(found) - {"host", "port", "address"})
    if unknown:
        raise SettingsError(unknown[0], "没有这一项设置。", "there is no such setting")
    return Settings(data, _text(found, "host"), _port(found), checked_address(_text(found, "address")))


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


def _text(found: Mapping[str, object], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise SettingsError(name, "缺少，或不是文字。", "missing, or not text")
    return value


def _port(found: Mapping[str, object]) -> int:
    value = found.get("port")
    # `isdigit` would take "²" as well, which is no number.
    is_number = isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdecimal())
    if not is_number or isinstance(value, bool) or not 0 <= int(str(value)) <= 65535:
        raise SettingsError("port", "应为 0 到 65535 的整数。", "a whole number from 0 to 65535")
    return int(str(value))
