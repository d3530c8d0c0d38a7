"""Usage of a tenant that was connected to the same platform anew: each connection's is queued."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from backend.platforms.queueing.usage import collect_usage
from backend.storage.database import Database
from backend.storage.tables import platform_connections, platform_objects
from tests.support.billing import add_usage, make_tenant

pytestmark = pytest.mark.engine

TURN = datetime(2026, 4, 1, tzinfo=UTC)


async def test_what_was_used_before_a_new_connection_and_after_it_is_queued_once(
    database: Database,
) -> None:
    tenant = await make_tenant(database)
    both = {"tenant_id": tenant.id, "platform": "orb"}
    connected = [
        both | {"mode": "usage", "starts_at": TURN - timedelta(days=31), "ends_at": TURN},
        both | {"mode": "usage", "starts_at": TURN, "ends_at": None},
    ]
    meter = both | {"kind": "meter", "own_id": "input_tokens large", "remote_id": "metric_1"}
    async with database.begin() as connection:
        await connection.execute(insert(platform_connections), connected)
        await connection.execute(insert(platform_objects).values(meter))
    await add_usage(
        database,
        tenant,
        ("2026-03-31T23:45:00+00:00", "large", "input_tokens", "1"),
        ("2026-04-01T00:00:00+00:00", "large", "input_tokens", "2"),
    )
    now = TURN + timedelta(hours=1)
    assert await collect_usage(database, ["orb"], now) == 2
    assert await collect_usage(database, ["orb"], now) == 0
