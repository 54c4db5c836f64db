"""Who gives an order: the operating system's word for it, so that nobody signs an act with somebody else's name."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from pathlib import Path

_NOBODY_LOGGED_IN = (1 << 32) - 1
_CREDENTIALS = struct.Struct("iii")


def of_this_process() -> str:
    """Name the user that this process runs as, and who logged in for it: `gridlog`, or `alice as gridlog`."""
    return _named(os.getpid(), os.geteuid())


def of_peer(connection: socket.socket) -> str:
    """Name the user at the other end of a Unix socket, as the kernel says."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(raw)
    return _named(process, user)


def _named(process: int, user: int) -> str:
    account = _account(user)
    login = _logged_in(process)
    return account if login in (None, user) else f"{_account(login)} as {account}"


def _logged_in(process: int) -> int | None:
    # Linux remembers who logged in through every `sudo` and `su`. Without a login, or in a container, nobody did.
    try:
        login = int(Path(f"/proc/{process}/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if login == _NOBODY_LOGGED_IN else login


def _account(user: int | None) -> str:
    assert user is not None
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"
