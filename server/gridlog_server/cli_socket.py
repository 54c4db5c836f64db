"""Give an order to the running server, through its local socket.

With the standard library's client: to load aiohttp takes longer than all else that such a command does.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from gridlog_protocol.texts import Text

from . import listing

_CONNECT_TRIES, _CONNECT_PAUSE_S = 100, 0.1


class _LocalConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


def ask_running(path: Path, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Have a command carried out by the server behind a socket. Raises CommandError with its sentence, OSError."""
    for _ in range(_CONNECT_TRIES):
        with closing(_LocalConnection(path)) as connection:
            try:
                connection.connect()
            except (FileNotFoundError, ConnectionRefusedError):
                # It has the lock already, and listens in a moment.
                time.sleep(_CONNECT_PAUSE_S)
                continue
            return _posted(connection, name, facts)
    zh, en = "正在使用数据目录的进程没有应答。", "The process that uses the data directory does not answer."
    raise listing.CommandError(Text(zh, en))


def _posted(connection: http.client.HTTPConnection, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(facts, ensure_ascii=False).encode()
    try:
        connection.request("POST", f"/{name}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (ConnectionError, http.client.HTTPException, ValueError):
        zh, en = "服务没有答复就中断了，请核对是否已经生效。", "No answer came: see whether it was carried out."
        raise listing.CommandError(Text(zh, en)) from None
    if response.status != 200:
        raise listing.CommandError(Text(answer["zh"], answer["en"]))
    return answer
