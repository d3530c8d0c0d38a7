"""The six plans of ``catalog.yaml``, each from events to its bill, against arithmetic by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backend.catalog.published import apply_catalog, load_catalog
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.quotas.use import current_quotas
from backend.spend.gathering import open_period
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend.subscriptions.errors import PlanByContract
from backend.wallets.errors import CreditExhausted
from backend.wallets.prepayment import Prepayment, paid_by_wallet
from backend.wallets.queries import wallet_balance
from backend.wallets.top_ups import refresh_and_check
from backend.wallets.used_by_calls import used_by_calls
from backend_client.types.accounts import Tenant
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import make_tenant

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
M = 1_000_000

Use = tuple[datetime, str, dict[str, int]]


@pytest.fixture(autouse=True)
async def _catalog(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, load_catalog(Path(__file__).parents[2] / "catalog.yaml"))


async def subscribe(database: Database, tenant: Tenant, plan: str, at: datetime = MARCH) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, plan, at)


async def move(database: Database, tenant: Tenant, plan: str, at: datetime) -> None:
    async with database.begin() as connection:
        await change_plan(connection, tenant.id, SubscriptionChange(plan=plan, at=at), at)


async def use(database: Database, tenant: Tenant, *used: Use) -> None:
    events = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=f"{number}-{time}",
            time=time,
            received_at=time,
            application_id="app_1",
            model=model,
            quantities={meter: Decimal(quantity) for meter, quantity in quantities.items()},
        )
        for number, (time, model, quantities) in enumerate(used)
    ]
    async with database.raw() as connection:
        await count_events(connection, events)


async def bill(database: Database, tenant: Tenant, now: datetime = NOW) -> SpendReport:
    async with database.begin() as connection:
        return await spend_report(connection, tenant, now)


def amounts(report: SpendReport) -> Sequence[tuple[str, str]]:
    return [
        *((line.charge_id, str(line.amount.amount)) for line in report.lines),
        *((adjustment.kind, str(adjustment.amount.amount)) for adjustment in report.adjustments),
        ("total", str(report.total.amount)),
    ]


def day(number: int, hour: int = 12) -> datetime:
    return MARCH + timedelta(days=number - 1, hours=hour)


async def test_pay_per_token(database: Database, tenant: Tenant) -> None:
    await subscribe(database, tenant, "pay-as-you-go")
    await use(
        database,
        tenant,
        (day(1), "sample-large", {"requests": 1, "input_tokens": 3 * M, "output_tokens": 8 * M}),
        (day(9), "sample-large", {"cached_input_tokens": M, "reasoning_tokens": 4 * M}),
        (day(30), "sample-small", {"input_tokens": 123_456}),
    )
    assert amounts(await bill(database, tenant)) == [
        ("large-input", "7.50"),
        ("large-cached-input", "1.25"),
        ("large-output", "118.00"),  # 10 * 10.00 + 2 * 9.00
        ("small-input", "0.02"),  # 0.0185184
        ("requests", "0.00"),
        ("total", "126.77"),
    ]


async def test_tiered_with_an_upgrade_in_the_middle_of_the_period(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "free")
    await move(database, tenant, "growth", day(11, 0))
    await use(
        database,
        tenant,
        (day(2), "sample-small", {"input_tokens": 500_000}),  # on the free plan
        (day(12), "sample-small", {"input_tokens": 10 * M, "output_tokens": 15 * M}),
        (day(25), "sample-large", {"input_tokens": 60 * M, "output_tokens": 12 * M}),
    )
    # Two weeks on trial, with 14/31 of the pool; then 7/31 of it for output: 7.483871 * 5, and
    # input in full: 50 * 1 + 10 * 0.8
    assert amounts(await bill(database, tenant)) == [
        ("tokens", "0.00"),
        ("fee", "22.13"),  # 49 * 14 / 31
        ("input", "10.00"),
        ("output", "29.84"),  # 5.967742 * 5
        ("fee", "11.06"),  # 49 * 7 / 31
        ("input", "58.00"),
        ("output", "37.42"),
        ("trial", "-61.97"),
        ("total", "106.48"),
    ]
    async with database.begin() as connection:
        (quota,) = await current_quotas(connection, tenant, NOW)
    assert (quota.quota.limit, quota.remaining) == (QuotaLimit.SOFT, 0)


async def test_tiered_by_the_year_with_credit_each_month(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "growth")
    await move(database, tenant, "growth-yearly", day(11, 0))
    await use(database, tenant, (day(25), "sample-large", {"output_tokens": 22 * M}))
    assert amounts(await bill(database, tenant)) == [
        ("fee", "15.81"),  # 49 * 10 / 31, on trial
        ("fee", "490.00"),
        ("output", "42.26"),  # 8.451613 beyond 21/31 of the pool
        ("trial", "-15.81"),
        ("total", "532.26"),
    ]
    async with database.begin() as connection:
        await refresh_and_check(connection, tenant.id, NOW)
        wallet = await wallet_balance(connection, tenant, NOW)
    assert wallet.available == Decimal("6.77")  # from the 11th on
    # April asks for usage alone; leaving gives back the rest of the year: 335 of its 365 days
    await use(database, tenant, (day(35), "sample-large", {"output_tokens": 21 * M}))
    april = await bill(database, tenant, day(36))
    assert amounts(april) == [("output", "5.00"), ("total", "5.00")]
    await move(database, tenant, "growth", day(41, 0))
    assert amounts(await bill(database, tenant, day(42)))[0] == ("fee", "-449.73")


async def test_tiered_in_another_currency(database: Database) -> None:
    tenant = await make_tenant(database, currency="EUR")
    await subscribe(database, tenant, "growth")
    await use(database, tenant, (day(25), "sample-large", {"output_tokens": 31 * M}))
    assert amounts(await bill(database, tenant)) == [
        ("fee", "20.32"),
        ("fee", "24.68"),  # 45 * 17 / 31
        ("output", "83.12"),  # 10 * 4.60 + 10.032259 * 3.70, after 17/31 of the pool
        ("trial", "-20.32"),
        ("total", "107.80"),
    ]


async def test_credits_pay_call_by_call_and_the_bill_leaves_nothing(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "prepaid")
    prepayment = Prepayment(database)
    most = {"input_tokens": Decimal(30_000), "output_tokens": Decimal(40_000)}
    uses: list[Use] = []
    calls = [(number, 12_345 + 7 * number, 499 * number) for number in range(1, 30)]
    for number, read, said in calls:
        at = day(number)
        assert await prepayment.reserve(tenant.id, f"call-{number}", "sample-large", most, at)
        used = {"requests": 1, "input_tokens": read, "output_tokens": said}
        quantities = {meter: Decimal(count) for meter, count in used.items()}
        for _ in range(2):
            await prepayment.settle(tenant.id, f"call-{number}", "sample-large", quantities, at, at)
        uses.append((at, "sample-large", used))
    await use(database, tenant, *uses)

    exact = sum(
        (Decimal(read) * Decimal("2.75") + said * Decimal(11)) / M for _, read, said in calls
    )
    async with database.begin() as connection:
        opened = await open_period(connection, tenant, NOW)
        used_credit = (await used_by_calls(connection, tenant.id, opened.period)).amount
        wallet = await wallet_balance(connection, tenant, NOW)
    rated = opened.rate()
    assert (used_credit, rated.exact_total, wallet.used) == (exact, exact, exact)
    assert wallet.available == 5 - exact  # the plan's credit to begin with
    assert paid_by_wallet(rated, {("prepaid", 1)}, used_credit) == rated.total

    with pytest.raises(CreditExhausted) as refused:
        await prepayment.reserve(
            tenant.id, "too much", "sample-large", {"output_tokens": Decimal(M)}, NOW
        )
    assert (refused.value.status, refused.value.code) == (402, "insufficient_credit")


async def test_what_the_wallet_did_not_cover_is_on_the_bill(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "prepaid")
    prepayment = Prepayment(database)
    at = day(5)
    small = {"output_tokens": Decimal(100_000)}
    await prepayment.reserve(tenant.id, "call", "sample-large", small, at)
    # The provider said more than it was asked to: 11 dollars' worth, and the wallet has 5
    await prepayment.settle(
        tenant.id, "call", "sample-large", {"output_tokens": Decimal(M)}, at, at
    )
    await use(database, tenant, (at, "sample-large", {"output_tokens": M}))
    async with database.begin() as connection:
        opened = await open_period(connection, tenant, NOW)
        used = (await used_by_calls(connection, tenant.id, opened.period)).amount
    rated = opened.rate()
    assert (str(rated.total), str(paid_by_wallet(rated, {("prepaid", 1)}, used))) == (
        "11.00",
        "5.00",
    )


async def test_other_plans_reserve_nothing(database: Database, tenant: Tenant) -> None:
    await subscribe(database, tenant, "pay-as-you-go")
    prepayment = Prepayment(database)
    assert not await prepayment.reserve(tenant.id, "call", "sample-large", {}, NOW)
    await prepayment.release(tenant.id, "call", NOW)


async def test_enterprise_by_volume_night_and_day(database: Database, tenant: Tenant) -> None:
    await subscribe(database, tenant, "enterprise")
    await use(
        database,
        tenant,
        (day(3, 12), "sample-large", {"requests": 2 * M + 1, "output_tokens": 150 * M}),
        (day(3, 23), "sample-large", {"output_tokens": 100 * M}),
        (day(4, 5), "sample-large", {"output_tokens": 7 * M}),
        (day(4, 6), "sample-large", {"output_tokens": 70 * M, "input_tokens": 1001 * M}),
    )
    assert amounts(await bill(database, tenant)) == [
        ("platform", "2000.00"),
        ("input", "600.60"),  # all at the tier that is reached
        ("output", "660.00"),  # 220 by day
        ("night-output", "214.00"),
        ("requests", "3.00"),
        ("total", "3477.60"),
    ]


async def test_enterprise_is_the_operators_to_give(database: Database, tenant: Tenant) -> None:
    await subscribe(database, tenant, "free")
    with pytest.raises(PlanByContract, match="by contract"):
        await move(database, tenant, "enterprise", day(2))
    async with database.begin() as connection:
        change = SubscriptionChange(plan="enterprise", at=day(2))
        await change_plan(connection, tenant.id, change, day(2), by_operator=True)


async def test_freemium_stops_and_an_upgrade_keeps_what_was_used(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "free")
    await use(database, tenant, (day(2), "sample-small", {"input_tokens": 900_000}))
    await use(database, tenant, (day(3), "sample-small", {"output_tokens": 100_000}))
    async with database.begin() as connection:
        (quota,) = await current_quotas(connection, tenant, day(4))
    assert (quota.quota.limit, quota.remaining) == (QuotaLimit.HARD, 0)
    assert str((await bill(database, tenant)).total.amount) == "0.00"
    await move(database, tenant, "pay-as-you-go", day(4))
    await use(database, tenant, (day(5), "sample-small", {"input_tokens": M}))
    after = await bill(database, tenant)
    assert amounts(after) == [("tokens", "0.00"), ("small-input", "0.15"), ("total", "0.15")]
    assert after.lines[0].quantity == M
