"""Prices by label: a plan has usage counted by the labels that it prices by."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend.catalog.published import apply_catalog
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from tests.support.billing import NOW, catalog_with

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def test_labels_that_a_plan_prices_by_split_its_usage(
    database: Database, tenant: Tenant
) -> None:
    charge = {"kind": "per_unit", "meters": ["input_tokens"], "price": "4", "name": "C"}
    plan = {
        "id": "free",
        "name": "By region",
        "charges": [
            charge | {"id": "any"},
            charge | {"id": "eu", "labels": {"region": "eu"}, "price": "5"},
            charge | {"id": "batch", "labels": {"region": "eu", "tier": "batch"}, "price": "1"},
        ],
    }
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[plan]))
        await start_subscription(connection, tenant.id, "free", MARCH)
    labelled = [
        {},
        {"region": "us"},
        {"region": "eu"},
        {"region": "eu", "team": "a"},
        {"region": "eu", "tier": "batch", "team": "b"},
        {"tier": "batch"},
    ]
    events = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=str(number),
            time=NOW,
            received_at=NOW,
            application_id="app_1",
            model="large",
            quantities={"input_tokens": Decimal(1_000_000)},
            labels=labels,
        )
        for number, labels in enumerate(labelled)
    ]
    async with database.raw() as connection:
        await count_events(connection, events)
    async with database.begin() as connection:
        report = await spend_report(connection, tenant, NOW)
    assert [(line.charge_id, line.labels, str(line.amount.amount)) for line in report.lines] == [
        ("any", {}, "12.00"),
        ("eu", {"region": "eu"}, "10.00"),
        ("batch", {"region": "eu", "tier": "batch"}, "1.00"),
    ]
