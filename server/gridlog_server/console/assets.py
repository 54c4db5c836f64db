"""Styles, scripts and pictures: read once, compressed once, kept by browsers for ever.

The rule it keeps: the address of a file has a hash over all of them, so it never changes what it says; and files
refer to each other by relative paths.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import web

_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "png": "image/png",
    "txt": "text/plain",
}
_SQUEEZED = ("css", "js", "svg", "txt")
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, no-cache"
_HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, and the same compressed, unless that does not help."""

    media_type: str
    plain: bytes
    squeezed: bytes | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """All files, by their path under `static/`."""

    assets: Mapping[str, Asset]
    version: str

    def path(self, name: str) -> str:
        """Return the path of a file on this server."""
        return f"/console/static/{self.version}/{name}"

    def answer(self, request: web.Request) -> web.Response:
        """Return a file. One that an older page names by another hash is the present one, not kept for long."""
        asset = self.assets.get(request.match_info["name"])
        if asset is None:
            return web.Response(status=404)
        is_current = request.match_info["version"] == self.version
        headers = {"Cache-Control": _FOR_EVER if is_current else _ASK_AGAIN, "Vary": "Accept-Encoding"}
        is_squeezed = asset.squeezed is not None and "gzip" in request.headers.get("Accept-Encoding", "")
        if is_squeezed:
            headers["Content-Encoding"] = "gzip"
        body = asset.squeezed if is_squeezed else asset.plain
        return web.Response(body=body, content_type=asset.media_type, charset="utf-8", headers=headers)


@cache
def shelf() -> Shelf:
    """Read everything under `static/`."""
    assets: dict[str, Asset] = {}
    total = hashlib.sha256()
    for name, file in sorted(_walk(files(__package__) / "static", "")):
        ending = name.rpartition(".")[2]
        if ending not in _TYPES:
            continue
        plain = file.read_bytes()
        total.update(name.encode() + b"\0" + hashlib.sha256(plain).digest())
        squeezed = gzip.compress(plain, 9, mtime=0) if ending in _SQUEEZED else None
        assets[name] = Asset(_TYPES[ending], plain, squeezed if squeezed and len(squeezed) < len(plain) else None)
    return Shelf(assets, total.hexdigest()[:_HASH_CHARACTERS])


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        name = f"{path}{each.name}"
        if each.is_dir():
            yield from _walk(each, f"{name}/")
        else:
            yield name, each
