"""The floor: an HTTP server that does nothing but keep what comes, in a process of its own.

One POST is one zstd frame of msgpack maps with named keys; it is inserted with `executemany` into SQLite (WAL,
synchronous FULL) before the answer. One GET returns everything of one grid in the same form. No signature, no merge,
no digest, no receipt: whatever a server does besides costs on top of this.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys

import msgpack
import zstandard
from aiohttp import web

LEVEL = 3


def application(database: sqlite3.Connection) -> web.Application:
    """Return the two doors."""

    async def keep(request: web.Request) -> web.Response:
        rows = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(await request.read()))
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "INSERT OR REPLACE INTO record (id, grid, content) VALUES (?, ?, ?)",
            [(row["id"], row["grid_code"], msgpack.packb(row)) for row in rows],
        )
        database.execute("COMMIT")
        return web.Response(body=msgpack.packb({"kept": len(rows)}))

    async def give(request: web.Request) -> web.Response:
        found = database.execute("SELECT content FROM record WHERE grid = ?", (request.match_info["grid"],))
        rows = [msgpack.unpackb(content) for (content,) in found]
        return web.Response(body=zstandard.ZstdCompressor(LEVEL).compress(msgpack.packb(rows)))

    app = web.Application(client_max_size=64 << 20)
    app.add_routes([web.post("/", keep), web.get("/{grid}", give)])
    return app


def opened(path: str) -> sqlite3.Connection:
    """Open a plain durable database with one table of records."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS record (id BLOB PRIMARY KEY, grid TEXT NOT NULL, content BLOB NOT NULL)"
    )
    database.execute("CREATE INDEX IF NOT EXISTS record_by_grid ON record (grid)")
    return database


async def _serve(path: str) -> None:
    runner = web.AppRunner(application(opened(path)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
