"""What a change of plan would do, told before it is made, is what it then does."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from backend.catalog.published import apply_catalog
from backend.errors import NotFound
from backend.spend.previewing import preview_change
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend.subscriptions.queries import current_subscription
from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import catalog_with, make_tenant

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
HALF = datetime(2026, 3, 16, 12, tzinfo=UTC)


def plan(name: str, fee: str) -> dict[str, object]:
    charges = [{"id": "fee", "name": f"{name} fee", "kind": "flat", "price": fee}]
    return {"id": name.lower(), "name": name, "charges": charges}


PLANS = [plan("Small", "31"), plan("Large", "62")]


def amounts(report: SpendReport) -> list[tuple[str, Decimal]]:
    return [(line.name, line.amount.amount) for line in report.lines]


async def test_a_preview_is_what_the_change_then_makes_and_changes_nothing(
    database: Database,
) -> None:
    tenant = await make_tenant(database, time_zone="UTC")
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(default_plan="small", plans=PLANS))
        await start_subscription(connection, tenant.id, "small", MARCH)
    change = SubscriptionChange(plan="large")
    async with database.begin() as connection:
        preview = await preview_change(connection, tenant, change, HALF)
    async with database.begin() as connection:
        in_force = await current_subscription(connection, tenant.id, HALF)
        untouched = await spend_report(connection, tenant, HALF)
    assert (in_force.plan.definition.id, in_force.next_plan) == ("small", None)
    assert untouched == preview.before
    assert preview.plan.definition.id == "large"
    assert amounts(preview.before) == [("Small fee", Decimal("31.00"))]
    assert preview.difference.amount == preview.after.total.amount - Decimal("31.00")
    # Half a month of each: 15.5 + 31
    assert preview.after.total.amount == Decimal("46.50")
    async with database.begin() as connection:
        changed = await change_plan(connection, tenant.id, change, HALF)
        report = await spend_report(connection, tenant, HALF)
    assert changed.start == preview.starts_at
    assert amounts(report) == amounts(preview.after)
    async with database.begin() as connection:
        with pytest.raises(NotFound):
            await preview_change(connection, tenant, SubscriptionChange(plan="none"), HALF)


async def test_the_routes_answer_with_both_reports(
    api: httpx.AsyncClient, session: dict[str, str], operator: dict[str, str]
) -> None:
    wanted = {"plan": "growth"}
    own = await api.post("/v1/subscription/preview", headers=session, json=wanted)
    assert own.status_code == 200, own.text
    assert own.json()["plan"]["definition"]["id"] == "growth"
    assert (await api.get("/v1/subscription", headers=session)).json()["next_plan"] is None
    tenant = (await api.get("/v1/me", headers=session)).json()["tenant"]["slug"]
    at = f"/v1/tenants/{tenant}/subscription/preview"
    by_operator = await api.post(at, headers=operator, json=wanted)
    assert by_operator.json()["after"]["total"] == own.json()["after"]["total"]
    refused = await api.post("/v1/subscription/preview", headers=session, json={"plan": "gold"})
    assert (refused.status_code, refused.json()["code"]) == (404, "plan_not_found")
