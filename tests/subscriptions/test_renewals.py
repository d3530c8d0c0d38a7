"""Contracts that renew, and the plan that follows one that does not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from backend.catalog.published import apply_catalog
from backend.errors import InvalidInput
from backend.invoices.drafts.billing_cursors import problem_of, unbilled
from backend.invoices.drafts.drafting import load_context
from backend.invoices.worker import InvoicesWorker
from backend.settings import Settings
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import cancel, change_plan
from backend.subscriptions.contract_ends import Followed, follow_ended_contracts
from backend.subscriptions.contracts import amend_contract, create_contract, list_contracts
from backend.subscriptions.queries import current_subscription
from backend.subscriptions.segments import lock_subscriptions
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import AmendmentCreate, Contract, ContractCreate
from backend_client.types.subscriptions import SubscriptionCancel, SubscriptionChange
from tests.support.billing import catalog_with
from tests.support.invoices import subscribed
from tests.support.waiting import until

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
TOKENS = {
    "id": "tokens",
    "name": "Tokens",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "price": "1",
}
PLANS = [
    {"id": "free", "name": "Free"},
    {"id": "deal", "name": "Deal", "charges": [TOKENS], "by_contract": True},
    {"id": "payg", "name": "Pay as you go", "charges": [TOKENS | {"price": "2"}]},
    {"id": "prepaid", "name": "Prepaid", "prepaid": True, "charges": [TOKENS]},
]


def month(number: int) -> datetime:
    """The first of a month; 1 is January 2026."""
    return datetime(2026 + (number - 1) // 12, (number - 1) % 12 + 1, 1, tzinfo=UTC)


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS))
    return await subscribed(database, "deal", month(1))


async def agree(database: Database, tenant: Tenant, start: int = 1, **terms: object) -> Contract:
    """A hundred a month for a quarter."""
    commitment = {"ramps": [{"amount": "100", "periods": 3}]}
    wanted = {"name": "Deal", "start": month(start), "commitment": commitment} | terms
    async with database.begin() as connection:
        return await create_contract(connection, tenant, ContractCreate.model_validate(wanted))


async def amend(database: Database, tenant: Tenant, contract: Contract, **terms: object) -> None:
    wanted = AmendmentCreate.model_validate({"reason": "Agreed"} | terms)
    async with database.begin() as connection:
        await amend_contract(connection, tenant, contract.id, wanted)


async def totals(database: Database, tenant: Tenant, *months: int) -> list[str]:
    """What the months cost without usage: what is committed in them."""
    async with database.begin() as connection:
        reports = [await spend_report(connection, tenant, month(number)) for number in months]
    return [f"{report.total.amount:.0f}" for report in reports]


async def follow(database: Database, now: datetime) -> list[Followed]:
    async with database.begin() as connection:
        return await follow_ended_contracts(connection, now)


async def plan_of(database: Database, tenant: Tenant, at: datetime) -> tuple[str, datetime]:
    async with database.begin() as connection:
        subscription = await current_subscription(connection, tenant.id, at)
    return subscription.plan.definition.id, subscription.start


async def test_a_contract_that_does_not_renew_ends(database: Database, tenant: Tenant) -> None:
    await agree(database, tenant)
    assert await totals(database, tenant, 3, 4, 16) == ["100", "0", "0"]


async def test_a_contract_renews_for_as_long_again(database: Database, tenant: Tenant) -> None:
    """A term of twelve months from 1 January 2021 is followed by another of twelve, and so on.

    https://docs.zuora.com/zuora-billing/manage-accounts-subscriptions-and-non-subscriptions/manage-subscription-transactions/subscribe-and-amend/create-subscriptions/automatic-subscriptions-renewal
    """
    await agree(database, tenant, renews=True)
    assert await totals(database, tenant, 1, 3, 4, 7, 16, 40) == ["100"] * 6


async def test_each_term_is_trued_up_by_itself(database: Database, tenant: Tenant) -> None:
    ramps = [{"amount": "50", "periods": 1}, {"amount": "150", "periods": 1}]
    commitment = {"ramps": ramps, "true_up": "term"}
    await agree(database, tenant, commitment=commitment, renews=True)
    assert await totals(database, tenant, 1, 2, 3, 4, 5, 6) == ["0", "200"] * 3


async def test_renewal_can_be_ended_and_resumed_at_any_time(
    database: Database, tenant: Tenant
) -> None:
    """The flag can be changed at any time during the agreement's lifecycle.

    https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-agreements_RenewalTerm.html
    """
    contract = await agree(database, tenant, renews=True)
    await amend(database, tenant, contract, effective_at=month(5), renews=False)
    assert await totals(database, tenant, 4, 6, 7) == ["100", "100", "0"]
    with pytest.raises(InvalidInput, match="within the contract's term"):
        await amend(database, tenant, contract, effective_at=month(7), renews=True)
    await amend(database, tenant, contract, effective_at=month(6), renews=True)
    assert await totals(database, tenant, 6, 7, 12) == ["100", "100", "100"]


async def test_an_amendment_is_of_the_term_in_which_it_begins(
    database: Database, tenant: Tenant
) -> None:
    contract = await agree(database, tenant, renews=True)
    await amend(database, tenant, contract, effective_at=month(5), more=Decimal(20))
    assert await totals(database, tenant, 3, 4, 5, 6, 7) == ["100", "100", "120", "120", "100"]


async def test_a_later_contract_takes_the_place_of_one_that_renews(
    database: Database, tenant: Tenant
) -> None:
    await agree(database, tenant, renews=True)
    commitment = {"ramps": [{"amount": "300", "periods": 1}]}
    await agree(database, tenant, 5, name="Next", commitment=commitment)
    assert await totals(database, tenant, 4, 5, 6) == ["100", "300", "0"]


async def test_terms_of_payment_renew_too(
    database: Database, tenant: Tenant, api_settings: Settings
) -> None:
    await agree(database, tenant, renews=True, net_days=45)
    async with database.begin() as connection:
        next_period = await unbilled(connection, tenant.id)
        assert next_period is not None
        periods = [
            next_period.__class__(
                tenant,
                next_period.profile,
                "inv",
                next_period.period.__class__(month(number), month(number + 1), "UTC"),
            )
            for number in (1, 8)
        ]
        for period in periods:
            context = await load_context(connection, [period], month(9), api_settings)
            assert context.contracts == {tenant.id: 45}


async def test_the_plan_that_follows_begins_where_the_contract_ended(
    database: Database, tenant: Tenant
) -> None:
    """At the end of the commitment, switch to pay as you go.

    https://cloud.google.com/channel/docs/reference/rest/Shared.Types/RenewalType
    """
    contract = await agree(database, tenant, then_plan="payg")
    assert await follow(database, month(4) - DAY) == []
    # The pass comes late; seats that changed meanwhile do not matter
    async with database.begin() as connection:
        change = SubscriptionChange(plan="deal", seats=3)
        await change_plan(connection, tenant.id, change, month(3), by_operator=True)
    late = month(4) + timedelta(minutes=50)
    assert await follow(database, late) == [Followed(tenant.id, contract.id, "payg")]
    assert await plan_of(database, tenant, late) == ("payg", month(4))
    assert await follow(database, late + DAY) == []


async def test_at_the_very_quarter_hour_it_begins_at_once(
    database: Database, tenant: Tenant
) -> None:
    await agree(database, tenant, then_plan="payg")
    await follow(database, month(4) + timedelta(seconds=30))
    assert await plan_of(database, tenant, month(4) + DAY) == ("payg", month(4))


async def test_no_plan_follows_a_contract_that_renews_until_it_ends(
    database: Database, tenant: Tenant
) -> None:
    contract = await agree(database, tenant, renews=True, then_plan="payg")
    assert await follow(database, month(5)) == []
    await amend(database, tenant, contract, effective_at=month(5), renews=False)
    assert await follow(database, month(6)) == []
    assert await follow(database, month(7)) == [Followed(tenant.id, contract.id, "payg")]
    assert await plan_of(database, tenant, month(7)) == ("payg", month(7))


async def test_no_plan_follows_where_another_contract_does_or_nobody_is_there(
    database: Database, tenant: Tenant
) -> None:
    first = await agree(database, tenant, then_plan="payg")
    second = await agree(database, tenant, 4, then_plan="payg")
    assert await follow(database, month(4)) == [Followed(tenant.id, first.id, None)]
    assert (await plan_of(database, tenant, month(4)))[0] == "deal"
    async with database.begin() as connection:
        await cancel(connection, tenant.id, SubscriptionCancel(when="now"), month(5))
    assert await follow(database, month(7)) == [Followed(tenant.id, second.id, None)]


async def test_a_plan_that_can_not_be_had_is_told_in_the_tenants_billing(
    database: Database, tenant: Tenant
) -> None:
    """It was taken off sale since; another tenant's contract is followed all the same."""
    await agree(database, tenant, then_plan="payg")
    other = await subscribed(database, "deal", month(1))
    await agree(database, other, then_plan="free")
    async with database.begin() as connection:
        await apply_catalog(
            connection, catalog_with(plans=[plan for plan in PLANS if plan["id"] != "payg"])
        )
    worker = InvoicesWorker(database, Settings(seller_name="Sample seller"))
    await worker.keep_invoices(month(4) + timedelta(minutes=1), asyncio.Event())
    assert (await plan_of(database, other, month(4)))[0] == "free"
    assert (await plan_of(database, tenant, month(4)))[0] == "deal"
    async with database.begin() as connection:
        assert "payg" in str(await problem_of(connection, tenant.id))
        assert await problem_of(connection, other.id) is None


async def test_a_prepaid_plan_can_not_follow(database: Database, tenant: Tenant) -> None:
    with pytest.raises(InvalidInput, match="is prepaid"):
        await agree(database, tenant, then_plan="prepaid")
    async with database.begin() as connection:
        assert await list_contracts(connection, tenant.id) == []


def test_an_amendment_says_something() -> None:
    with pytest.raises(ValueError, match="give more units, or whether the contract renews"):
        AmendmentCreate(effective_at=month(2), reason="Nothing")


async def test_who_amends_a_contract_as_it_ends_and_the_worker_do_not_block_each_other(
    database: Database, tenant: Tenant
) -> None:
    """The amendment refers to the contract, which the worker has locked, and has the tenant."""
    contract = await agree(database, tenant, then_plan="payg")
    wanted = AmendmentCreate(effective_at=month(3), more=Decimal(10), reason="Agreed")
    async with database.begin() as amending:
        await lock_subscriptions(amending, tenant.id)
        following = asyncio.create_task(follow(database, month(4)))

        async def waits() -> bool:
            query = """SELECT count(*) FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND datname = current_database()"""
            async with database.begin() as connection:
                return bool(await connection.scalar(text(query)))

        await until(waits)
        await amend_contract(amending, tenant, contract.id, wanted)
    assert [followed.plan for followed in await following] == ["payg"]
