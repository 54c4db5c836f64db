"""Find out whom a request is from. A header of a stranger never decides that."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from gridlog_server.settings import Network

Address: TypeAlias = IPv4Address | IPv6Address
_PREFIX_BITS_V6 = 64
_FORWARDED_CHARACTERS_MAX = 2000


def read_address(text: str) -> Address:
    """Return an address as one of its family: IPv4 inside IPv6 is IPv4. Raises ValueError."""
    # A zone names an interface of this machine, not another client.
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_trusted(address: Address, proxies: Sequence[Network]) -> bool:
    """Tell whether an address is one of the proxies."""
    return any(address in network for network in proxies)


def client_of(peer: Address, forwarded: Sequence[str], proxies: Sequence[Network]) -> Address:
    """Return the client behind the trusted proxies; `forwarded` are the X-Forwarded-For headers in their order.

    Each proxy adds at the right end whom it heard. So names are believed from the right, as long as whoever wrote
    them is trusted; what stands further left is the client's own invention.
    """
    if not is_trusted(peer, proxies):
        return peer
    names = ",".join(forwarded)[-_FORWARDED_CHARACTERS_MAX:].split(",")
    address = peer
    while names and is_trusted(address, proxies):
        try:
            address = read_address(names.pop().strip())
        except ValueError:
            break
    return address


def limited_as(address: Address) -> int:
    """Return what an address is counted under: whoever has one address of IPv6 has its /64."""
    if isinstance(address, IPv6Address):
        return int(address) >> (128 - _PREFIX_BITS_V6) << (128 - _PREFIX_BITS_V6)
    return int(address)
