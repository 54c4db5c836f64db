"""What stands in the bar, for whom. A link that is missing protects nothing: services say who may do what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from gridlog_protocol.texts import Text
from gridlog_server.service.accounts import Caller, Role

_OWN = re.compile(r"/console/[A-Za-z0-9_.,:;=?&%+~@!$'()*/-]*")
_PATH_CHARACTERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Room:
    """One place of the console, and whose it is."""

    name: str
    path: str
    icon: str
    label: Text
    role: Role


ROOMS = (
    Room("inbox", "/console/inbox", "inbox", Text("待办", "Inbox"), Role.SUPERVISOR),
    Room("records", "/console/records", "files", Text("记录", "Records"), Role.SUPERVISOR),
    Room("conflicts", "/console/conflicts", "git-branch", Text("冲突", "Conflicts"), Role.SUPERVISOR),
    Room("holdings", "/console/holdings", "hand-stop", Text("谁手里有什么", "Who holds what"), Role.SUPERVISOR),
    Room("devices", "/console/devices", "device-mobile", Text("终端", "Devices"), Role.ADMINISTRATOR),
    Room("people", "/console/people", "users", Text("人员", "People"), Role.ADMINISTRATOR),
    Room("grids", "/console/grids", "map-2", Text("网格", "Grids"), Role.ADMINISTRATOR),
    Room("acts", "/console/acts", "history", Text("操作记录", "Acts"), Role.ADMINISTRATOR),
    Room("health", "/console/health", "heartbeat", Text("运行状况", "Health"), Role.ADMINISTRATOR),
)


def rooms_of(caller: Caller | None) -> list[Room]:
    """Return the rooms that somebody may enter."""
    return [room for room in ROOMS if caller is not None and room.role in caller.roles]


def own_path(path: str) -> str:
    """Return a path of this console as it came, or its first page for anything else: nobody is sent elsewhere."""
    is_own = len(path) <= _PATH_CHARACTERS_MAX and _OWN.fullmatch(path) is not None
    meant = unquote(path)
    is_plain = "//" not in meant and "/." not in meant and meant.isprintable()
    return path if is_own and is_plain else "/console/"
