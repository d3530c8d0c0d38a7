"""The calls of this process that have ended and are still being settled, by tenant.

A caller has its answer as soon as the usage is recorded, and what the call held without using it is
free a moment later. A next call in that moment waits here instead of being refused for want of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Settlements:
    """Which calls are being settled; one a process."""

    def __init__(self) -> None:
        self._under_way: dict[str, set[asyncio.Future[None]]] = {}

    @contextmanager
    def settling(self, tenant_id: str) -> Iterator[None]:
        """Count a call of the tenant as being settled until the end of the block."""
        over = asyncio.get_running_loop().create_future()
        under_way = self._under_way.setdefault(tenant_id, set())
        under_way.add(over)
        try:
            yield
        finally:
            over.set_result(None)
            under_way.discard(over)
            if not under_way:
                del self._under_way[tenant_id]

    def of(self, tenant_id: str) -> set[asyncio.Future[None]]:
        """Return what is under way for the tenant now; each is done when its call is settled."""
        return set(self._under_way.get(tenant_id, ()))
