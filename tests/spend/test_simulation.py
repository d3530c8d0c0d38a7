"""Simulated bills are the bills that would be: same rating, other plans or other usage."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from backend.catalog.published import apply_catalog, load_catalog
from backend.errors import NotFound
from backend.spend.queries import spend_report
from backend.spend.simulation import simulate
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.simulate import Simulation, SimulationRequest
from tests.support.billing import add_usage, make_tenant

pytestmark = pytest.mark.engine

NOW = datetime(2026, 4, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def _catalog(database: Database) -> None:
    async with database.begin() as connection:
        catalog = load_catalog(Path(__file__).parents[2] / "catalog.yaml")
        await apply_catalog(connection, catalog)


async def ask(
    database: Database, tenant: Tenant, *, by_operator: bool = False, **asked: object
) -> Simulation:
    async with database.begin() as connection:
        request = SimulationRequest.model_validate(asked)
        return await simulate(connection, tenant, request, NOW, by_operator=by_operator)


def totals(simulation: Simulation) -> dict[str, str]:
    return {plan.plan: str(plan.total.amount) for plan in simulation.plans}


async def test_the_past_on_the_plan_it_was_on_is_the_bill_it_was(
    database: Database, tenant: Tenant
) -> None:
    async with database.begin() as connection:
        march = datetime(2026, 3, 1, tzinfo=UTC)
        await start_subscription(connection, tenant.id, "pay-as-you-go", march)
    await add_usage(
        database,
        tenant,
        ("2026-03-03T12:00Z", "sample-large", "output_tokens", "12000000"),
        ("2026-03-04T23:00Z", "sample-small", "input_tokens", "30000000"),
        ("2026-04-03T12:00Z", "sample-large", "output_tokens", "99000000"),  # not over yet
    )
    simulation = await ask(database, tenant, past_periods=1)
    async with database.begin() as connection:
        billed = await spend_report(connection, tenant, datetime(2026, 3, 31, tzinfo=UTC))
    same = next(plan for plan in simulation.plans if plan.plan == "pay-as-you-go")
    assert same.periods[0].lines == billed.lines
    assert totals(simulation) == {
        "free": "0.00",
        "growth-yearly": "62.83",  # a twelfth of 490, and as growth
        "growth": "71.00",  # 49, and 42 million less 20: output first, so 22 of input
        "pay-as-you-go": "122.50",
        "prepaid": "150.00",
    }
    yearly = next(plan for plan in simulation.plans if plan.plan == "growth-yearly")
    assert (str(yearly.credit.amount), str(yearly.to_pay.amount)) == ("10.00", "52.83")
    everything = await ask(database, tenant, by_operator=True, past_periods=2)
    night = next(plan for plan in everything.plans if plan.plan == "enterprise").periods[1]
    assert [line.charge_id for line in night.lines] == ["platform", "input", "output"]


async def test_a_draft_is_tried_beside_published_plans(database: Database, tenant: Tenant) -> None:
    await add_usage(database, tenant, ("2026-03-03T23:00Z", "large", "output_tokens", "3000000"))
    night = {"id": "night", "name": "Night", "time_zone": "UTC", "start": "22:00", "end": "06:00"}
    charge = {"kind": "per_unit", "meters": ["output_tokens"], "name": "Output"}
    draft = {
        "id": "draft",
        "name": "Draft",
        "windows": [night],
        "charges": [
            charge | {"id": "day", "price": "4"},
            charge | {"id": "night", "price": "1", "window": "night"},
        ],
    }
    simulation = await ask(
        database, tenant, past_periods=1, plans=["pay-as-you-go"], drafts=[draft]
    )
    assert totals(simulation) == {"pay-as-you-go": "0.00", "draft": "3.00"}
    draft_plan, other = simulation.plans
    assert draft_plan.plan_version is None
    # Nothing to pay, since it has no price for the model: no plan to recommend
    assert (other.fits, other.reason) == (False, "It has no price for some of the usage.")


async def test_a_described_workload(database: Database, tenant: Tenant) -> None:
    workload = {
        "requests_per_day": "1000",
        "per_request": {"input_tokens": "2000", "output_tokens": "500"},
        "models": {"sample-large": "1", "sample-small": "3"},
        "growth_percent": "10",
        "periods": 2,
    }
    simulation = await ask(database, tenant, workload=workload, plans=["prepaid"])
    (plan,) = simulation.plans
    may, june = plan.periods
    assert (may.period.start, june.period.start) == (
        datetime(2026, 5, 1, tzinfo=UTC),
        datetime(2026, 6, 1, tzinfo=UTC),
    )
    # 31 days of a thousand; a quarter large, 62 million tokens of input in all
    assert {line.charge_id: str(line.quantity) for line in may.lines} == {
        "large-input": "15500000",
        "large-output": "3875000",
        "input": "46500000",
        "output": "11625000",
        "requests": "31000",
    }
    assert str(may.total.amount) == "134.09"  # 42.63 + 42.63 + 27.90 + 20.93
    assert next(line for line in june.lines if line.charge_id == "requests").quantity == 33_000


async def test_a_year_of_periods_has_a_yearly_fee_once(database: Database, tenant: Tenant) -> None:
    workload = {
        "requests_per_day": "0",
        "per_request": {"input_tokens": "1"},
        "models": {"sample-large": "1"},
        "periods": 12,
    }
    simulation = await ask(
        database, tenant, workload=workload, plans=["growth-yearly", "growth", "pay-as-you-go"]
    )
    # Each period's twelfth is rounded: 12 * 40.83
    assert totals(simulation) == {
        "pay-as-you-go": "0.00",
        "growth-yearly": "489.96",
        "growth": "588.00",
    }
    (fee,) = simulation.plans[1].periods[0].lines
    assert (fee.cadence, fee.price, str(fee.amount.amount)) == ("year", 490, "40.83")
    exact = sum(line.exact for period in simulation.plans[1].periods for line in period.lines)
    assert round(exact, 20) == 490


async def test_windows_take_their_part_of_a_workload(database: Database, tenant: Tenant) -> None:
    workload = {
        "requests_per_day": "24",
        "per_request": {"output_tokens": "1000000"},
        "models": {"sample-large": "1"},
    }
    simulation = await ask(
        database, tenant, by_operator=True, workload=workload, plans=["enterprise"]
    )
    quantities = {line.charge_id: line.quantity for line in simulation.plans[0].periods[0].lines}
    assert quantities["night-output"] == Decimal(31 * 8_000_000)
    assert quantities["output"] == Decimal(31 * 16_000_000)


async def test_in_the_tenants_currency(database: Database) -> None:
    tenant = await make_tenant(database, currency="EUR")
    simulation = await ask(database, tenant, past_periods=1)
    assert totals(simulation) == {"growth-yearly": "37.50", "growth": "45.00"}
    assert simulation.other_currency == ["free", "pay-as-you-go", "prepaid"]
    with pytest.raises(NotFound):
        await ask(database, tenant, past_periods=1, plans=["gold"])


async def test_a_plan_that_can_not_carry_the_usage_comes_last_and_says_why(
    database: Database, tenant: Tenant
) -> None:
    """The free plan was named the cheapest for a hundred thousand requests a day."""
    workload = {
        "requests_per_day": "100000",
        "per_request": {"input_tokens": "1500", "output_tokens": "400"},
        "models": {"sample-small": "1"},
    }
    simulation = await ask(database, tenant, workload=workload)
    first, last = simulation.plans[0], simulation.plans[-1]
    assert first.fits
    assert first.to_pay.amount > 0
    assert [plan.fits for plan in simulation.plans] == sorted(
        (plan.fits for plan in simulation.plans), reverse=True
    )
    assert (last.plan, last.fits) == ("free", False)
    assert last.reason is not None
    assert last.reason.startswith("Its quota of 1,000,000 ")

    large = {**workload, "requests_per_day": "1", "models": {"sample-large": "1"}}
    simulation = await ask(database, tenant, workload=large)
    free = next(plan for plan in simulation.plans if plan.plan == "free")
    assert (free.fits, free.reason) == (False, "It does not include sample-large.")
    assert free.total.amount < simulation.plans[0].total.amount
