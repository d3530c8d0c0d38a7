"""OpenMeter's own client, unmodified, against Farebox."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from corehttp.exceptions import HttpResponseError
from openmeter.aio import Client
from openmeter.models import Event

from backend.storage.database import Database
from tests.support.tenants import SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine


def event(tenant: SampleTenant, name: str, **data: Any) -> Event:
    wanted = {"application": tenant.application, "model": "model-a", "quantities": {"requests": 2}}
    return Event(
        id=name,
        source="openmeter",
        specversion="1.0",
        type="ai.usage",
        subject=tenant.slug,
        time=datetime.now(UTC),
        data=wanted | data,
    )


async def test_events_of_openmeters_client_are_counted_once(
    url: str, database: Database, worker: None
) -> None:
    tenant = await sample_tenant(database)
    token = tenant.headers["authorization"].removeprefix("Bearer ")
    async with Client(endpoint=url, token=token) as client:
        await client.events.ingest_event(event(tenant, "1"))
        await client.events.ingest_events([event(tenant, "1"), event(tenant, "2")])
        with pytest.raises(HttpResponseError) as refused:
            await client.events.ingest_events([event(tenant, "3"), event(tenant, "4", model="")])
    assert refused.value.status_code == 422

    async with database.raw() as connection:

        async def counted() -> bool:
            return bool(await connection.fetchval("SELECT count(*) FROM events") == 3)

        await until(counted)
        assert await connection.fetchval("SELECT sum(quantity) FROM rollups") == 6
