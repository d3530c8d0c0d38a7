"""Addresses that an operator trusts: of proxies, whose word on who asks is believed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

LOOPBACK: Final = ["127.0.0.0/8", "::1"]


def trusted_networks(addresses: list[str]) -> list[str]:
    """Return the addresses and networks as they were given; raise ``ValueError`` for another."""
    for address in addresses:
        ip_network(address)
    return addresses


def is_trusted(address: str, networks: Iterable[str]) -> bool:
    """Tell whether an address is in one of the networks."""
    return _is_in_one(address, tuple(networks))


@lru_cache(maxsize=4096)
def _is_in_one(address: str, networks: tuple[str, ...]) -> bool:
    # Each request asks, and a proxy's address is the same each time
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in ip_network(network) for network in networks)
