"""What all customers share on Orb: items and metrics, found again by their names."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from backend.platforms.adapter import Memory
from backend.platforms.orb.calls import OrbCalls
from backend.platforms.orb.mapping import CHARGES, PAYMENTS, TAX, Body, Items
from backend.platforms.orb.prices import metric_sql


@dataclass(frozen=True, slots=True)
class OrbCatalog:
    """Finds or makes items and metrics. ``shared`` remembers what all tenants use alike."""

    calls: OrbCalls
    shared: Memory
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while something is looked up and made: streams are sent side by side."""

    async def items(self) -> Items:
        """Return the items that our lines are of."""
        return Items(*[await self.item(name) for name in (CHARGES, TAX, PAYMENTS)])

    async def item(self, name: str) -> str:
        """Return an item's remote id, making it if it is not there."""
        return await self._ensured("item", name, "/items", {"name": name})

    async def metric(self, pairs: list[tuple[str, str]]) -> str:
        """Return the remote id of the metric that adds up meters of models."""
        own_id = ", ".join(f"{meter} {model}" for meter, model in pairs)
        body = {
            "name": f"Farebox: {own_id}",
            "description": None,
            "item_id": await self.item(CHARGES),
            "sql": metric_sql(pairs),
        }
        return await self._ensured("metric", own_id, "/metrics", body)

    async def _ensured(self, kind: str, own_id: str, path: str, body: Body) -> str:
        async with self.making:
            remote_id = await self.shared.recall(kind, own_id)
            if remote_id is None:
                remote_id = await self._oldest_named(path, body["name"])
                if remote_id is None:
                    created = await self.calls.post(path, body)
                    # Another process may have made it meanwhile: all take the oldest
                    remote_id = await self._oldest_named(path, body["name"]) or str(created["id"])
                await self.shared.remember(kind, own_id, remote_id)
            return remote_id

    async def _oldest_named(self, path: str, name: str) -> str | None:
        named = [thing async for thing in self.calls.all(path) if thing["name"] == name]
        return str(named[-1]["id"]) if named else None
