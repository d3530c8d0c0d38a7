"""A year of many tenants that Amberflo rates: each month comes to what we say, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from backend.accounts.tenants import find_tenant
from backend.platforms.comparing.verifying import connection_rows
from backend.platforms.queueing.subscriptions import queue_subscription
from backend.pricing.money import round_to_minor_unit
from backend.pricing.periods import billing_period
from backend.spend.gathering import metered_period
from backend.storage.database import Database
from backend.storage.tables import platform_objects
from tests.platforms import a_year
from tests.platforms.amberflo.conftest import (
    amberflo_settings,
    compared,
    on_amberflo,
    opened,
    send,
    sent,
)
from tests.platforms.conftest import Clock
from tests.support.amberflo.server import AmberfloStandIn
from tests.support.examples import examples

pytestmark = pytest.mark.engine

TENANTS = examples(5)
"""Fifty with ``--hypothesis-profile thorough``."""
MONTHS = [
    billing_period(datetime(a_year.YEAR, month, 2, tzinfo=UTC), "UTC", 1) for month in range(1, 13)
]


def at(stand_in: AmberfloStandIn, moment: datetime) -> Clock:
    """Our clock and Amberflo's, at a moment."""
    clock = Clock()
    clock.ahead = stand_in.ahead = moment - datetime.now(UTC)
    return clock


async def test_a_year_of_usage_is_rated_there_as_it_is_here(
    database: Database, stand_in: AmberfloStandIn
) -> None:
    await a_year.lived(database, TENANTS, "amberflo", "usage")
    # No limit but the machine's
    quick = amberflo_settings(stand_in).model_copy(update={"amberflo_requests_per_second": 1e6})
    async with opened(database, quick) as amberflo:
        async with database.begin() as connection:
            for row in await connection_rows(database, "amberflo", None):
                await queue_subscription(connection, row, row["starts_at"])
        await send(database, amberflo, at(stand_in, a_year.NEW_YEAR))
        for month in MONTHS:
            await sent(database, amberflo, at(stand_in, month.end + timedelta(hours=1)))
        at(stand_in, a_year.NEXT_YEAR + a_year.GRACE)
        assert await compared(database, quick, amberflo, stand_in.now) == []
    query = select(platform_objects).where(platform_objects.c.kind == "period_invoice")
    async with database.begin() as connection:
        kept = (await connection.execute(query)).mappings().all()
        assert len({row["remote_id"] for row in kept}) == len(kept) == 13 * TENANTS
        theirs = {(row["tenant_id"], row["data"]["start"]): row["data"] for row in kept}
        for tenant_id in {row["tenant_id"] for row in kept}:
            tenant = await find_tenant(connection, tenant_id)
            for month in MONTHS:
                said = theirs[tenant_id, month.start.isoformat()]
                ours = (await metered_period(connection, tenant, month)).rate()
                assert said["status"] == "price_locked"
                assert round_to_minor_unit(Decimal(said["total"]), "USD") == ours.total > 0
    assert on_amberflo(stand_in) > 0
