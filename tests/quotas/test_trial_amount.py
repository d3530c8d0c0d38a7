"""A trial's amount: calls are refused once usage on trial is worth it, and who pays knows nothing.

The example is a trial of three days with 10 dollars:
https://github.com/Alpaca-Network/gatewayz-backend/wiki/Free-Trial-System, read as of 2026-03-16.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from backend.accounts.applications import create_application
from backend.accounts.principal import Permission, Principal
from backend.catalog.published import apply_catalog
from backend.gateway.admission import Admission
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.quotas.entitlements import entitlements
from backend.quotas.errors import QuotaExhausted
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend_client.types.accounts import ApplicationCreate, Role, Tenant
from backend_client.types.entitlements import TrialStanding
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import catalog_with, make_tenant

pytestmark = pytest.mark.engine

BEGINS = datetime(2026, 3, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TOKENS = {
    "id": "tokens",
    "name": "Tokens",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "price": "2",
    "included": "1000000",
}
TRIED: dict[str, Any] = {
    "id": "tried",
    "name": "Tried",
    "trial_days": 3,
    "trial_amount": "10",
    "charges": [TOKENS],
    "price_lists": [
        {"currency": "EUR", "charges": [{"id": "tokens", "price": "1"}], "trial_amount": "9"}
    ],
}


async def tries(database: Database, begins: datetime, currency: str = "USD") -> Tenant:
    """A tenant that takes the plan up then."""
    tenant = await make_tenant(database, currency=currency)
    free = {"id": "free", "name": "Free", "price_lists": [{"currency": "EUR"}]}
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[free, TRIED]))
        await start_subscription(connection, tenant.id, "free", begins - 5 * DAY)
        await change_plan(connection, tenant.id, SubscriptionChange(plan="tried"), begins)
    return tenant


async def use(database: Database, tenant: Tenant, tokens: int, at: datetime) -> None:
    event = AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=f"at {at}",
        time=at,
        received_at=at,
        application_id="app_1",
        model="small",
        quantities={"input_tokens": Decimal(tokens)},
    )
    async with database.raw() as connection:
        await count_events(connection, [event])


async def standing(database: Database, tenant: Tenant, at: datetime) -> TrialStanding | None:
    async with database.begin() as connection:
        return (await entitlements(connection, tenant, at)).trial


async def test_usage_on_trial_counts_from_its_beginning_to_its_end(database: Database) -> None:
    tenant = await tries(database, BEGINS)
    await use(database, tenant, 9_000_000, BEGINS - DAY)  # on the free plan, before
    await use(database, tenant, 500_000, BEGINS + DAY)
    await use(database, tenant, 250_000, BEGINS + 2 * DAY)  # in April
    at = BEGINS + 2 * DAY + timedelta(hours=1)
    on_trial = await standing(database, tenant, at)
    assert on_trial is not None
    # What the page shows: of $10 in credits 8.50 remain
    assert (on_trial.amount, on_trial.used, on_trial.remaining) == (
        10,
        Decimal("1.5"),
        Decimal("8.5"),
    )
    assert (on_trial.currency, on_trial.ends_at) == ("USD", BEGINS + 3 * DAY)
    assert await standing(database, tenant, BEGINS + 3 * DAY) is None


async def test_it_is_in_the_tenants_currency(database: Database) -> None:
    tenant = await tries(database, BEGINS, "EUR")
    await use(database, tenant, 2_000_000, BEGINS + DAY)
    on_trial = await standing(database, tenant, BEGINS + DAY + timedelta(hours=1))
    assert on_trial is not None
    assert (on_trial.amount, on_trial.used, on_trial.currency) == (9, 2, "EUR")


async def test_calls_are_refused_once_it_is_used_up(database: Database) -> None:
    begins = datetime.now(UTC) - DAY
    tenant = await tries(database, begins)
    async with database.begin() as connection:
        application = await create_application(
            connection, tenant.id, ApplicationCreate(name="sample")
        )
    caller = Principal(
        kind="key",
        id="key_1",
        tenant_id=tenant.id,
        application_id=application.id,
        permissions=frozenset({Permission.INFERENCE}),
        role=Role.DEVELOPER,
    )
    begun = datetime.now(UTC) - timedelta(hours=2)
    await use(database, tenant, 4_999_999, begun)
    assert (await Admission(database).admit(caller, "small")).model.id == "small"
    await use(database, tenant, 1, begun + timedelta(seconds=1))
    with pytest.raises(QuotaExhausted, match=r"The trial's usage of 10 USD is used up"):
        await Admission(database).admit(caller, "small")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"trial_days": 0}, "this plan has no trial: give trial_days too"),
        ({"trial_amount": "0"}, "greater than 0"),
        ({"trial_amount": None}, "give a trial_amount in both currencies or in none"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        PlanDefinition.model_validate(TRIED | changes)
