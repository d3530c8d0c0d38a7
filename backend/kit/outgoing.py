"""Addresses that others name and Farebox connects to: checked, so that none leads inside.

Who names an address must not reach what only this machine or its network does: neither by a name
that leads there, nor by one that leads elsewhere when it is looked up again. So the address that
was checked is the one that is connected to. What is public is as IANA's registries of
special-purpose addresses (RFC 6890) say.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

_UNICAST: Final = ip_network("2000::/3")
"""All that IANA has given out of IPv6; what maps to IPv4 by a translator is elsewhere."""


class AddressRefused(Exception):
    """Nothing is sent there; the reason is a sentence for whoever named the address."""


@dataclass(frozen=True, slots=True)
class OutgoingUrl:
    """A checked address. ``host`` is a name, or an IP address without brackets."""

    url: str
    scheme: str
    host: str
    port: int


def outgoing_url(url: str, networks: Sequence[str]) -> OutgoingUrl:
    """Read an address; ``networks`` are those that may be reached beside public ones.

    ``http`` is for these alone. Raises ``ValueError`` with what is wrong, as it goes on after
    the field's name.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no address such as https://example.com/hooks") from None
    host = (parts.hostname or "").rstrip(".")
    schemes = {"https", "http"} if networks else {"https"}
    if parts.scheme not in schemes:
        raise ValueError("must begin with https://")
    if not host or port == 0 or "\\" in url or any(not "!" <= letter <= "~" for letter in url):
        raise ValueError("is no address such as https://example.com/hooks")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must have no user or password in it: check the signature instead")
    if parts.fragment or "#" in url:
        raise ValueError("must have no part after #, which would not be sent")
    outgoing = OutgoingUrl(
        url, parts.scheme, host, port or (443 if parts.scheme == "https" else 80)
    )
    literal = _literal(host)
    named_here = host == "localhost" or host.endswith(".localhost")
    if literal is not None and not is_allowed(literal, networks):
        raise ValueError("must be public: this address is of a private network")
    if named_here and not networks:
        raise ValueError("must be public: this is a name of the machine itself")
    return outgoing


async def checked_addresses(outgoing: OutgoingUrl, networks: Sequence[str]) -> list[str]:
    """Look a host up, once; return the addresses to connect to.

    Raises ``AddressRefused`` if any is not public, nor in one of the ``networks``: a name with
    such an address is not one to try the others of. ``http`` must lead into the networks.
    """
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(
            outgoing.host, outgoing.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError):
        raise AddressRefused("Its name can't be looked up.") from None
    addresses = list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))
    for address in addresses:
        if not is_allowed(address, networks):
            raise AddressRefused("Its name leads to an address that is not public.")
        if outgoing.scheme == "http" and not _is_in(ip_address(address), networks):
            raise AddressRefused("It must be reached by https.")
    if not addresses:
        raise AddressRefused("Its name can't be looked up.")
    return addresses


def is_allowed(address: str, networks: Sequence[str]) -> bool:
    """Tell whether an IP address is public, or in one of the networks."""
    parsed = _plain(ip_address(address))
    return _is_in(parsed, networks) or _is_public(parsed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = address.sixtofour
        if inner is not None and not _is_public(inner):
            return False
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[str]) -> bool:
    return any(_plain(address) in ip_network(network) for network in networks)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that is written as one of IPv6, ``::ffff:127.0.0.1``."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _literal(host: str) -> str | None:
    """Return a host that is an IP address, in any spelling that a look-up takes; else None."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        # "127.1", "0x7f000001" and "2130706433" are 127.0.0.1 to it
        return str(ip_address(socket.inet_aton(host)))
    except (OSError, UnicodeError):
        return None
