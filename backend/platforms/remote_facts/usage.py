"""Usage that the platform took, and found unusable later."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.platforms.adapter import UsageRejected
from backend.storage.tables import platform_dispatches as dispatches


async def usage_rejected(connection: AsyncConnection, platform: str, fact: UsageRejected) -> bool:
    """Record deltas that the platform took as refused: they can be sent again."""
    for identifier, reason in fact.identifiers.items():
        await connection.execute(
            update(dispatches)
            .where(
                dispatches.c.platform == platform,
                dispatches.c.fact == identifier,
                dispatches.c.state.in_(("sent", "confirmed")),
            )
            .values(state="refused", confirmed_at=None, reason=reason)
        )
    return True
