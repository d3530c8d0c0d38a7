"""What platforms have, are behind with and differ in, as the API says it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from backend_client import AsyncFareboxClient
from backend_client.types.platforms import (
    Dispatch,
    DispatchState,
    PlatformConnection,
    PlatformCursor,
    PlatformDrift,
    PlatformName,
    PlatformStatus,
)

SHOWN = 100
_TENANTS = 200


@dataclass(frozen=True)
class Standing:
    """How all platforms stand. ``names`` are those of customers, by id."""

    statuses: list[PlatformStatus]
    connections: list[PlatformConnection]
    streams: list[PlatformCursor]
    parked: list[Dispatch]
    drift: list[PlatformDrift]
    names: dict[str, str]


async def standing_of(client: AsyncFareboxClient) -> Standing:
    """Ask for all of it at once."""
    of = client.platforms
    cursors = await asyncio.gather(
        *(of.cursors(name.value, limit=SHOWN).page() for name in PlatformName)
    )
    statuses, connections, parked, drift, tenants = await asyncio.gather(
        of.list().page(),
        of.all_connections(limit=SHOWN).page(),
        of.dispatches(state=DispatchState.REFUSED, limit=SHOWN).page(),
        of.drift(limit=SHOWN).page(),
        client.tenants.list(limit=_TENANTS).page(),
    )
    return Standing(
        statuses.items,
        connections.items,
        [each for page in cursors for each in page.items if each.waiting or each.refused],
        parked.items,
        drift.items,
        {tenant.id: tenant.name for tenant in tenants.items},
    )
