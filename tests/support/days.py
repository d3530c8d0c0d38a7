"""Rollups that a test wrote by itself, summed by days as counting would have."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.counting.daily import rebuild_days
from backend.storage.database import driver_connection


async def sum_days(
    connection: AsyncConnection, tenant_id: str, start: datetime, end: datetime
) -> None:
    """Sum the rollups of the days that ``start`` to ``end`` touches."""
    driver = await driver_connection(connection)
    await rebuild_days(driver, tenant_id, start, end, repair=True)
