"""What a plan that is billed after use brings as credit pays the bill of its own period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_terms
from backend.invoices.runs.finalizing import bill_progress
from backend.settings import Settings
from backend.spend.simulation import simulate
from backend.storage.database import Database
from backend.subscriptions.changes import cancel, change_plan, pause
from backend.wallets.grants import add_grant
from backend.wallets.queries import list_grants, wallet_balance
from backend.wallets.worker import keep_wallets
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingTerms
from backend_client.types.simulate import SimulationRequest
from backend_client.types.subscriptions import (
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)
from backend_client.types.wallets import CreditGrant, CreditGrantCreate
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
M = 1_000_000

INPUT = {
    "id": "input",
    "name": "Input",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "price": "1",
}
MONTHLY = {"id": "monthly", "name": "Monthly", "amount": "10", "rollover_cap": "4"}
FEE = {"id": "fee", "name": "Fee", "kind": "flat", "cadence": "year", "price": "365"}
PLANS = [
    {"id": "free", "name": "Free"},
    {"id": "bare", "name": "Bare", "charges": [INPUT]},
    {"id": "metered", "name": "Metered", "charges": [INPUT], "grants": [MONTHLY]},
    {"id": "yearly", "name": "Yearly", "charges": [FEE, INPUT], "grants": [MONTHLY]},
    {
        "id": "prepaid",
        "name": "Prepaid",
        "prepaid": True,
        "charges": [INPUT],
        "grants": [MONTHLY | {"amount": "7"}],
    },
    {
        "id": "welcoming",
        "name": "Welcoming",
        "charges": [INPUT],
        "grants": [
            {
                "id": "hello",
                "name": "Hello",
                "amount": "5",
                "recurs": False,
                "expires_after_days": 20,
            }
        ],
    },
]


@pytest.fixture
async def sold(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS))


async def use(database: Database, tenant: Tenant, **dollars: int) -> None:
    """Use so many dollars' worth in each month, by its name."""
    months = {"march": MARCH, "april": APRIL, "may": MAY}
    await count(
        database,
        [used(tenant, months[name] + 9 * DAY, worth * M) for name, worth in dollars.items()],
    )


async def by_credit(database: Database, tenant: Tenant) -> list[tuple[str, str]]:
    """Each invoice's total, and what is paid of it, which here is by credit alone."""
    return [
        (f"{row['total']:.2f}", f"{row['paid']:.2f}") for row in await invoices_of(database, tenant)
    ]


async def grants_of(database: Database, tenant: Tenant) -> Mapping[str, CreditGrant]:
    async with database.begin() as connection:
        page = await list_grants(connection, tenant.id, cursor=None, limit=100)
    return {grant.id: grant for grant in page.items}


@pytest.mark.parametrize("looked_at", [True, False])
async def test_each_months_credit_pays_that_months_bill(
    database: Database, settings: Settings, sold: None, looked_at: bool
) -> None:
    """From the first month to the last, whether or not the worker looked at the wallet."""
    tenant = await subscribed(database, "metered")
    await use(database, tenant, march=30, april=8)
    if looked_at:
        await keep_wallets(database, MARCH + DAY)
    await run_invoices(database, settings, APRIL + GRACE)
    if looked_at:
        await keep_wallets(database, APRIL + 2 * DAY)
    async with database.begin() as connection:
        wanted = SubscriptionCancel(when="period_end")
        await cancel(connection, tenant.id, wanted, APRIL + 20 * DAY)
    await run_invoices(database, settings, MAY + GRACE)
    await run_invoices(database, settings, JUNE + GRACE)
    assert await by_credit(database, tenant) == [("30.00", "10.00"), ("8.00", "8.00")]
    grants = await grants_of(database, tenant)
    assert sorted(grants) == [
        "metered.monthly:2026-03-01T00:00Z",
        "metered.monthly:2026-04-01T00:00Z",
    ]
    assert sum(grant.expired for grant in grants.values()) == 2


async def test_a_bill_made_late_is_paid_by_the_credit_of_its_period(
    database: Database, settings: Settings, sold: None
) -> None:
    tenant = await subscribed(database, "metered")
    await use(database, tenant, march=13, april=3)
    for at in (MARCH + DAY, APRIL + DAY, MAY + DAY):
        await keep_wallets(database, at)
        await keep_wallets(database, at)
    async with database.begin() as connection:
        balance = await wallet_balance(connection, tenant, MAY + 2 * DAY)
    # What waits for its bill is no longer to be spent, and not gone
    assert (balance.spendable, balance.available, balance.expired) == (10, 30, 0)
    await run_invoices(database, settings, MAY + 9 * DAY)
    assert await by_credit(database, tenant) == [("13.00", "10.00"), ("3.00", "3.00")]
    grants = await grants_of(database, tenant)
    assert grants["metered.monthly:2026-04-01T00:00Z"].expired == 7
    assert grants["metered.monthly:2026-05-01T00:00Z:carried"].amount == 4


async def test_what_is_left_is_carried_on_once_and_no_further_than_its_cap(
    database: Database, settings: Settings, sold: None
) -> None:
    tenant = await subscribed(database, "metered")
    await use(database, tenant, march=7, april=12, may=30)
    for at in (APRIL, MAY, JUNE):
        await keep_wallets(database, at + timedelta(hours=1))
        for _ in range(2):
            await run_invoices(database, settings, at + GRACE)
            await keep_wallets(database, at + GRACE)
    # 3 left of March's; of April's 13 one is left; all of May's 11 are used
    assert await by_credit(database, tenant) == [
        ("7.00", "7.00"),
        ("12.00", "12.00"),
        ("30.00", "11.00"),
    ]
    async with database.begin() as connection:
        asked = SimulationRequest(past_periods=3, plans=["metered"])
        (plan,) = (await simulate(connection, tenant, asked, JUNE + GRACE)).plans
    assert (plan.credit.amount, plan.to_pay.amount) == (30, 19)
    carried = {
        name: grant.amount
        for name, grant in (await grants_of(database, tenant)).items()
        if name.endswith(":carried")
    }
    assert carried == {
        "metered.monthly:2026-04-01T00:00Z:carried": 3,
        "metered.monthly:2026-05-01T00:00Z:carried": 1,
    }


async def test_a_month_without_a_bill_carries_its_credit_on_too(
    database: Database, settings: Settings, sold: None
) -> None:
    tenant = await subscribed(database, "metered")
    await run_invoices(database, settings, APRIL + GRACE)
    assert await invoices_of(database, tenant) == []
    carried = (await grants_of(database, tenant))["metered.monthly:2026-04-01T00:00Z:carried"]
    assert (carried.amount, carried.in_arrears) == (4, True)


async def test_a_tenant_that_comes_back_has_what_was_carried(
    database: Database, settings: Settings, sold: None
) -> None:
    tenant = await subscribed(database, "metered")
    async with database.begin() as connection:
        wanted = SubscriptionPause(until=APRIL + 10 * DAY)
        await pause(connection, tenant.id, wanted, MARCH + 30 * DAY)
    await run_invoices(database, settings, APRIL + GRACE)
    await keep_wallets(database, APRIL + GRACE)
    assert "metered.monthly:2026-04-01T00:00Z" not in await grants_of(database, tenant)
    await keep_wallets(database, APRIL + 11 * DAY)
    grants = await grants_of(database, tenant)
    assert grants["metered.monthly:2026-04-01T00:00Z"].amount == Decimal("6.66")  # from the 11th on
    assert grants["metered.monthly:2026-04-01T00:00Z:carried"].amount == 4


async def test_a_yearly_plan_brings_its_credit_every_month(
    database: Database, settings: Settings, sold: None
) -> None:
    tenant = await subscribed(database, "yearly")
    await use(database, tenant, march=1, april=50, may=50)
    for at in (APRIL, MAY, JUNE):
        await run_invoices(database, settings, at + GRACE)
    assert await by_credit(database, tenant) == [
        ("366.00", "10.00"),
        ("50.00", "10.00"),
        ("50.00", "10.00"),
    ]


async def test_a_bill_in_part_takes_the_running_periods_credit_once(
    database: Database, settings: Settings, sold: None
) -> None:
    tenant = await subscribed(database, "metered")
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal(6))
        await set_terms(connection, tenant.id, terms)
    await use(database, tenant, march=6)
    async with database.begin() as connection:
        assert await bill_progress(connection, settings, tenant.id, MARCH + 12 * DAY)
    # Twelve of the month's 31 days have earned so much of its credit
    assert await by_credit(database, tenant) == [("6.00", "3.87")]
    await count(database, [used(tenant, MARCH + 20 * DAY, 5 * M)])
    await run_invoices(database, settings, APRIL + GRACE)
    assert await by_credit(database, tenant) == [("6.00", "5.00"), ("5.00", "5.00")]


async def test_given_credit_pays_bills_until_it_ends_as_before(
    database: Database, settings: Settings, sold: None
) -> None:
    """Credit that the operator gives in April pays the bill of March: that is what it is for."""
    tenant = await subscribed(database, "metered")
    await use(database, tenant, march=30)
    async with database.begin() as connection:
        wanted = CreditGrantCreate.model_validate(
            {"name": "Sorry", "kind": "promotional", "amount": "5", "expires_at": APRIL + 20 * DAY}
        )
        await add_grant(connection, tenant.id, wanted, APRIL + timedelta(hours=1))
    await run_invoices(database, settings, APRIL + GRACE)
    assert await by_credit(database, tenant) == [("30.00", "15.00")]


async def test_promotional_credit_of_a_month_pays_that_months_bill(
    database: Database, settings: Settings, sold: None
) -> None:
    """Given in arrears until the month ends, it waits for the invoice, and pays no other."""
    tenant = await subscribed(database, "free")
    terms = {"name": "March", "kind": "promotional", "amount": "50", "expires_at": APRIL}
    wanted = CreditGrantCreate.model_validate(terms | {"in_arrears": True})
    async with database.begin() as connection:
        grant = await add_grant(connection, tenant.id, wanted, MARCH + DAY)
        await change_plan(connection, tenant.id, SubscriptionChange(plan="bare"), MARCH + 2 * DAY)
    await use(database, tenant, march=30, april=8)
    await keep_wallets(database, APRIL + timedelta(hours=1))
    for at in (APRIL, MAY):
        await run_invoices(database, settings, at + GRACE)
    assert await by_credit(database, tenant) == [("30.00", "30.00"), ("8.00", "0.00")]
    stands = (await grants_of(database, tenant))[grant.id]
    assert (stands.used, stands.expired, stands.in_arrears) == (30, 20, True)
    with pytest.raises(ValidationError, match="in_arrears"):
        CreditGrantCreate.model_validate(terms | {"in_arrears": True, "expires_at": None})


async def test_what_is_paid_ahead_for_a_term_is_drawn_down_and_a_part_rolls_over(
    database: Database, settings: Settings, sold: None
) -> None:
    """Zuora's example 2, in money: of 1,000 for a term 800 are used, and 200 stay for 5 months.

    docs.zuora.com, create-prepayment-charge-with-rollover---zuora-ui---example-2, read 2026-11.
    """
    tenant = await subscribed(database, "free")
    terms = {
        "name": "Commitment",
        "kind": "paid",
        "amount": "1000",
        "starts_at": MARCH,
        "expires_at": APRIL,
        "in_arrears": True,
        "rollover_percent": "100",
        "rollover_months": 5,
    }
    async with database.begin() as connection:
        wanted = CreditGrantCreate.model_validate(terms)
        grant = await add_grant(connection, tenant.id, wanted, MARCH + DAY)
        half = terms | {"amount": "10", "rollover_percent": "50", "priority": 200}
        wanted = CreditGrantCreate.model_validate(half)
        other = await add_grant(connection, tenant.id, wanted, MARCH + DAY)
        await change_plan(connection, tenant.id, SubscriptionChange(plan="bare"), MARCH + 2 * DAY)
    await use(database, tenant, march=800, april=8)
    await run_invoices(database, settings, APRIL + GRACE)
    grants = await grants_of(database, tenant)
    stands = grants[grant.id]
    assert (stands.used, stands.expired, stands.available) == (800, 0, 200)
    assert (stands.rolled_over, stands.rollover_percent) == (200, None)
    assert stands.expires_at == datetime(2026, 9, 1, tzinfo=UTC)
    assert (grants[other.id].expired, grants[other.id].rolled_over) == (5, 5)
    # It pays the time that it was carried into, and what is left then expires for good
    await run_invoices(database, settings, MAY + GRACE)
    assert [due for _, due in await by_credit(database, tenant)] == ["800.00", "8.00"]
    for month in range(6, 11):
        await run_invoices(database, settings, datetime(2026, month, 1, tzinfo=UTC) + GRACE)
    stands = (await grants_of(database, tenant))[grant.id]
    assert (stands.used, stands.expired, stands.available) == (808, 192, 0)


@pytest.mark.parametrize(
    "wrong", [{"rollover_months": None}, {"rollover_percent": "0"}, {"expires_at": None}]
)
def test_a_rollover_is_whole(wrong: dict[str, object]) -> None:
    terms = {
        "name": "Term",
        "kind": "paid",
        "amount": "1",
        "expires_at": APRIL,
        "rollover_percent": "50",
        "rollover_months": 3,
    }
    CreditGrantCreate.model_validate(terms)
    with pytest.raises(ValidationError):
        CreditGrantCreate.model_validate(terms | wrong)


async def test_welcome_credit_pays_for_the_days_in_which_it_was_good(
    database: Database, settings: Settings, sold: None
) -> None:
    tenant = await subscribed(database, "welcoming")
    await keep_wallets(database, MARCH + DAY)
    await use(database, tenant, march=3, april=3)
    for at in (APRIL, MAY):
        await keep_wallets(database, at)
        await run_invoices(database, settings, at + GRACE)
    assert await by_credit(database, tenant) == [("3.00", "3.00"), ("3.00", "0.00")]
    (hello,) = (await grants_of(database, tenant)).values()
    assert (hello.used, hello.expired) == (3, 2)


async def test_a_change_to_a_prepaid_plan_takes_along_what_is_left(
    database: Database, settings: Settings, sold: None
) -> None:
    """Each plan's credit is its own: what the one leaves is not carried into the other's."""
    tenant = await subscribed(database, "metered")
    await use(database, tenant, march=2)
    async with database.begin() as connection:
        wanted = SubscriptionChange(plan="prepaid", at=APRIL)
        await change_plan(connection, tenant.id, wanted, MARCH + 20 * DAY)
    for at in (APRIL, MAY):
        await keep_wallets(database, at + timedelta(hours=1))
        await run_invoices(database, settings, at + GRACE)
    assert await by_credit(database, tenant) == [("2.00", "2.00")]
    grants = await grants_of(database, tenant)
    assert {name: (grant.amount, grant.in_arrears) for name, grant in grants.items()} == {
        "metered.monthly:2026-03-01T00:00Z": (10, True),
        "prepaid.monthly:2026-04-01T00:00Z": (7, False),
        "prepaid.monthly:2026-05-01T00:00Z": (7, False),
        "prepaid.monthly:2026-05-01T00:00Z:rollover": (4, False),
    }
