"""What Prometheus is told of ingest and of what waits."""

from __future__ import annotations

import re

import httpx
import pytest

from backend.storage.database import Database
from tests.metering.tenants import sample_tenant

pytestmark = pytest.mark.engine


async def gauges(api: httpx.AsyncClient) -> dict[str, float]:
    text = (await api.get("/metrics")).text
    return {
        name: float(value)
        for name, value in re.findall(r"^(farebox_\S+) (\S+)$", text, re.MULTILINE)
    }


async def test_what_was_sent_and_what_waits(api: httpx.AsyncClient, database: Database) -> None:
    tenant = await sample_tenant(database)
    before = await gauges(api)
    assert (before["farebox_usage_waiting_messages"], before["farebox_usage_lag_seconds"]) == (0, 0)
    sent = [tenant.event("1"), tenant.event("1"), tenant.event("2"), {"id": "3"}]
    answer = await api.post("/v1/events", headers=tenant.headers, json=sent)
    assert answer.status_code == 202, answer.text
    after = await gauges(api)
    assert after["farebox_usage_waiting_messages"] == 1
    assert after["farebox_usage_waiting_bytes"] > 0
    assert after["farebox_usage_lag_seconds"] >= 0
    assert after["farebox_usage_dead_letters"] == 0
    verdicts = {"accepted": 2, "duplicate": 1, "rejected": 1}
    for verdict, count in verdicts.items():
        assert after[f'farebox_ingest_events_total{{verdict="{verdict}"}}'] == count
