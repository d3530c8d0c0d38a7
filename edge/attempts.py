"""How often something may be tried: so many at once, then at a steady pace."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address


class Attempts:
    """Counts attempts by a name: a caller's address, a tenant.

    ``burst`` may be made at once, then one every ``every_seconds``. Of ``most`` names the one that
    tried longest ago makes room; so memory is bounded, and whoever tries most is known best.
    """

    def __init__(
        self,
        *,
        burst: int,
        every_seconds: float,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._every_seconds = every_seconds
        self._most = most
        self._clock = clock
        self._free_at: OrderedDict[str, float] = OrderedDict()
        """When all that a name has used is free again; the latest attempt last."""

    def wait_seconds(self, name: str) -> float:
        """Return how long it is until ``name`` may try again: 0 for now."""
        used_until = self._free_at.get(name, 0.0)
        return max(0.0, used_until - self._clock() - (self._burst - 1) * self._every_seconds)

    def count(self, name: str) -> None:
        """Count an attempt of ``name``."""
        now = self._clock()
        used_until = max(self._free_at.pop(name, now), now) + self._every_seconds
        # However often it tries, it waits no longer than for a whole burst
        longest = now + (self._burst + 1) * self._every_seconds
        self._free_at[name] = min(used_until, longest)
        while len(self._free_at) > self._most:
            self._free_at.popitem(last=False)

    def __len__(self) -> int:
        """Return how many names are remembered."""
        return len(self._free_at)


def network_of(address: str) -> str:
    """Return what one caller has of addresses: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
