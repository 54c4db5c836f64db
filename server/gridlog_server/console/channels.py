"""How a browser reaches us, and whether a request comes from one of our own pages.

The rule it keeps: a password travels only over HTTPS, or inside this machine. What a stranger can choose (a `Host`,
an `Origin`, a forwarding header) is compared with what we know, and never used to build an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from gridlog_server.door.addresses import is_trusted, read_address
from gridlog_server.settings import Network

_PORTS = {"http": 80, "https": 443}
_NOT_SAID = ("", "null")
"""Origins that say nothing. Our own forms send `null`: their pages ask for no referrer."""


class Channel(Enum):
    """What lies between the browser and us."""

    HTTPS = "https"
    LOOPBACK = "loopback"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the operator says of the address and the proxies before it."""

    address: str
    proxies: Sequence[Network] = ()

    def channel(self, request: web.Request) -> Channel:
        """Return how this request came. A proxy's word counts only if it is trusted."""
        transport = request.transport
        if transport is None:
            return Channel.OPEN
        if transport.get_extra_info("ssl_object") is not None:
            return Channel.HTTPS
        peer = read_address(transport.get_extra_info("peername")[0])
        if is_trusted(peer, self.proxies) and "X-Forwarded-For" in request.headers:
            said = request.headers.getall("X-Forwarded-Proto", [""])[-1]
            return Channel.HTTPS if said.strip().lower() == "https" else Channel.OPEN
        is_inside = peer.is_loopback and "X-Forwarded-For" not in request.headers and _is_loopback(request.host)
        return Channel.LOOPBACK if is_inside else Channel.OPEN

    def is_our_host(self, request: web.Request) -> bool:
        """Tell whether the `Host` is ours: the configured address, or this machine by its loopback name.

        A proxy of this machine that passes on no `Host` names us so, and no page elsewhere can.
        """
        ours = urlsplit(self.address)
        try:
            said = urlsplit(f"//{request.host}")
            port = said.port
        except ValueError:
            return False
        if said.username is not None or said.path or not said.hostname:
            return False
        if said.hostname == ours.hostname and (port or _PORTS[ours.scheme]) == _port(self.address):
            return True
        return _is_loopback(request.host) and port == _local_port(request)

    def is_our_page(self, request: web.Request) -> bool:
        """Tell whether a request that changes something was sent by a page of ours.

        Every browser of today says so in one of two headers; what says nothing at all is no browser, and is refused.
        """
        site = request.headers.get("Sec-Fetch-Site", "")
        origin = request.headers.get("Origin", "")
        if site and site != "same-origin":
            return False
        if origin in _NOT_SAID:
            return site == "same-origin"
        return origin.lower() in self._origins(request)

    def _origins(self, request: web.Request) -> set[str]:
        ours = urlsplit(self.address)
        origins = {f"{ours.scheme}://{ours.netloc}".lower()}
        if self.channel(request) is Channel.HTTPS:
            origins.add(f"https://{ours.netloc}".lower())
            if _is_loopback(request.host):
                origins.add(f"https://{request.host}".lower())
        elif _is_loopback(request.host):
            origins.add(f"http://{request.host}".lower())
        return origins


def _port(address: str) -> int:
    parts = urlsplit(address)
    return parts.port or _PORTS[parts.scheme]


def _local_port(request: web.Request) -> int | None:
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return int(name[1]) if name else None


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
