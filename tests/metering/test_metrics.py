"""What Prometheus is told of ingest and of what waits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from tests.support.tenants import Headers, SampleTenant, sample_tenant

pytestmark = pytest.mark.engine


async def gauges(api: httpx.AsyncClient, operator: Headers) -> dict[str, float]:
    text = (await api.get("/metrics", headers=operator)).text
    return {
        name: float(value)
        for name, value in re.findall(r"^(farebox_\S+) (\S+)$", text, re.MULTILINE)
    }


def counted_event(tenant: SampleTenant, event_id: str) -> AcceptedEvent:
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=event_id,
        time=datetime.now(UTC),
        received_at=datetime.now(UTC),
        application_id=tenant.application,
        model="model-a",
        quantities={"requests": Decimal(1)},
    )


async def test_what_was_sent_and_what_waits(
    api: httpx.AsyncClient, operator: Headers, database: Database
) -> None:
    tenant = await sample_tenant(database)
    before = await gauges(api, operator)
    assert (before["farebox_usage_waiting_messages"], before["farebox_usage_lag_seconds"]) == (0, 0)
    sent = [tenant.event("1"), tenant.event("1"), tenant.event("2"), {"id": "3"}]
    answer = await api.post("/v1/events", headers=tenant.headers, json=sent)
    assert answer.status_code == 202, answer.text
    async with database.raw() as connection:
        first, second = [counted_event(tenant, name) for name in ("a", "b")]
        await count_events(connection, [first, second])
        await count_events(connection, [second])
    after = await gauges(api, operator)
    counted = "farebox_usage_events_counted_total"
    assert (after[f'{counted}{{result="new"}}'], before[f'{counted}{{result="new"}}']) == (2, 0)
    assert after[f'{counted}{{result="duplicate"}}'] == 1
    assert after["farebox_usage_waiting_messages"] == 1
    assert after["farebox_usage_waiting_bytes"] > 0
    assert after["farebox_usage_lag_seconds"] >= 0
    assert after["farebox_usage_dead_letters"] == 0
    verdicts = {"accepted": 2, "duplicate": 1, "rejected": 1}
    for verdict, count in verdicts.items():
        assert after[f'farebox_ingest_events_total{{verdict="{verdict}"}}'] == count
