"""The local door: commands typed on the server's machine reach the running server through a Unix socket.

Only one process may write the database, so a command beside a running server asks it. The socket's file permissions
are the access control: whoever owns the data directory is the administrator.
"""

from __future__ import annotations

from aiohttp import web

from gridlog_server.service.backing_up import BackupError
from gridlog_server.service.commands import LocalCommands
from gridlog_server.service.deciding import DecisionError
from gridlog_sync.writing import InvalidRecordError

IMPORT_BYTES_MAX = 64 << 20


def routes(commands: LocalCommands) -> list[web.RouteDef]:
    """Return the routes of the local door."""

    async def command(request: web.Request) -> web.Response:
        try:
            answer = await commands.run(request.match_info["name"], await request.json())
        except (InvalidRecordError, DecisionError, BackupError) as wrong:
            return web.json_response({"zh": wrong.text.zh, "en": wrong.text.en}, status=422)
        except (ValueError, TypeError) as reason:
            return web.json_response({"zh": str(reason), "en": str(reason)}, status=422)
        return web.json_response(answer)

    return [web.post("/{name}", command)]
