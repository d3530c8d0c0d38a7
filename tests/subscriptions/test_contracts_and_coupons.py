"""Contracts and coupons as they come out on the bill."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.catalog.published import apply_catalog
from backend.errors import Conflict, InvalidInput, NotFound
from backend.metering.counting.batches import count_events
from backend.metering.events import GATEWAY_SOURCE, AcceptedEvent
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend.subscriptions.contracts import amend_contract, create_contract, list_contracts
from backend.subscriptions.coupons import put_coupon, redeem
from backend.subscriptions.errors import CouponCurrencyMismatch, CouponExpired, CouponIdTaken
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import AmendmentCreate, Contract, ContractCreate, Coupon
from backend_client.types.spend import SpendReport
from tests.support.billing import catalog_with, make_tenant

pytestmark = pytest.mark.engine

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
M = 1_000_000


def month(number: int) -> datetime:
    return datetime(2026, number, 15, tzinfo=UTC)


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    """On a plan of a dollar a million tokens, from January on."""
    charge = {
        "id": "tokens",
        "name": "Tokens",
        "kind": "per_unit",
        "meters": ["input_tokens"],
        "price": "1",
    }
    plans = [{"id": "free", "name": "Plain", "charges": [charge]}]
    tenant = await make_tenant(database)
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=plans))
        await start_subscription(connection, tenant.id, "free", JANUARY)
    return tenant


async def use(database: Database, tenant: Tenant, by_month: dict[int, int]) -> None:
    events = [
        _event(tenant, f"month {number}", month(number), {"input_tokens": Decimal(millions * M)})
        for number, millions in by_month.items()
    ]
    async with database.raw() as connection:
        await count_events(connection, events)


def _event(
    tenant: Tenant, name: str, at: datetime, quantities: dict[str, Decimal], **more
) -> AcceptedEvent:
    fields = {"source": "test", "application_id": "app_1", "model": "large"}
    return AcceptedEvent(
        tenant_id=tenant.id,
        id=name,
        time=at,
        received_at=at,
        quantities=quantities,
        **(fields | more),
    )


async def bill(database: Database, tenant: Tenant, number: int) -> SpendReport:
    async with database.begin() as connection:
        return await spend_report(connection, tenant, month(number))


async def totals(database: Database, tenant: Tenant, *months: int) -> list[str]:
    return [str((await bill(database, tenant, month)).total.amount) for month in months]


async def agree(database: Database, tenant: Tenant, **terms: object) -> Contract:
    wanted = ContractCreate.model_validate({"name": "Deal", "start": JANUARY} | terms)
    async with database.begin() as connection:
        return await create_contract(connection, tenant, wanted)


async def test_a_commitment_by_period_with_a_ramp(database: Database, tenant: Tenant) -> None:
    ramps = [{"amount": "100", "periods": 2}, {"amount": "200", "periods": 1}]
    contract = await agree(database, tenant, commitment={"ramps": ramps, "overage_discount": "10"})
    assert contract.end == datetime(2026, 4, 1, tzinfo=UTC)
    await use(database, tenant, {1: 150, 2: 40, 3: 150, 4: 7})
    # 150 less 10% of 50; up to 100; up to 200; no contract any more
    assert await totals(database, tenant, 1, 2, 3, 4) == ["145.00", "100.00", "200.00", "7.00"]
    adjustments = (await bill(database, tenant, 2)).adjustments
    assert [
        (adjustment.kind, adjustment.id, str(adjustment.amount.amount))
        for adjustment in adjustments
    ] == [("true_up", contract.id, "60.00")]


async def test_a_commitment_over_the_term_is_trued_up_in_the_last_period(
    database: Database, tenant: Tenant
) -> None:
    ramps = [{"amount": "100", "periods": 4}]
    await agree(
        database,
        tenant,
        commitment={"ramps": ramps, "true_up": "term", "overage_discount": "20"},
    )
    await use(database, tenant, {1: 250, 2: 100, 3: 100})
    # Overage begins where 400 of the term are met: 50 of March's 100
    assert await totals(database, tenant, 1, 2, 3, 4) == ["250.00", "100.00", "90.00", "0.00"]
    other = await make_tenant(database)
    async with database.begin() as connection:
        await start_subscription(connection, other.id, "free", JANUARY)
    await agree(database, other, commitment={"ramps": ramps, "true_up": "term"})
    await use(database, other, {1: 150, 4: 30})
    assert await totals(database, other, 1, 2, 4) == ["150.00", "0.00", "250.00"]


async def test_a_commitment_in_tokens(database: Database, tenant: Tenant) -> None:
    await agree(
        database,
        tenant,
        commitment={
            "ramps": [{"amount": str(100 * M), "periods": 12}],
            "meters": ["input_tokens"],
            "unit_price": "0.8",
            "unit_size": M,
            "overage_discount": "50",
        },
    )
    await use(database, tenant, {1: 60, 2: 130})
    # 40 million missing at 0.8; 30 million beyond at half of 0.8
    assert await totals(database, tenant, 1, 2) == ["92.00", "118.00"]


async def test_an_amendment_ends_with_the_term(database: Database, tenant: Tenant) -> None:
    contract = await agree(
        database, tenant, commitment={"ramps": [{"amount": "100", "periods": 3}]}
    )
    async with database.begin() as connection:
        at = datetime(2026, 2, 15, tzinfo=UTC)  # half of February
        amended = await amend_contract(
            connection,
            tenant,
            contract.id,
            AmendmentCreate(effective_at=at, more=Decimal(50), reason="More models"),
        )
    assert (amended.end, amended.amendments[0].number) == (contract.end, 1)
    assert await totals(database, tenant, 1, 2, 3, 4) == ["100.00", "125.00", "150.00", "0.00"]
    async with database.begin() as connection:
        late = AmendmentCreate(effective_at=contract.end, more=Decimal(1), reason="Late")
        with pytest.raises(InvalidInput):
            await amend_contract(connection, tenant, contract.id, late)
        with pytest.raises(NotFound):
            await amend_contract(connection, tenant, "ctr_none", late)


async def test_missed_service_is_credited_from_the_gateways_own_calls(
    database: Database, tenant: Tenant
) -> None:
    bands = [{"below": "99.9", "credit": "10"}, {"below": "99", "credit": "25"}]
    await agree(database, tenant, periods=12, service_levels=bands)
    await use(database, tenant, {1: 80, 2: 80})
    for at, failed in ((month(1), 2), (month(2), 1)):
        calls = [
            _event(
                tenant,
                f"{at} {number}",
                at,
                {"requests": Decimal(1)},
                sender="gateway",
                source=GATEWAY_SOURCE,
                labels={"status": "failed" if number < failed else "completed"},
            )
            for number in range(100)
        ]
        async with database.raw() as connection:
            await count_events(connection, calls)
    # 98 of 100 is below 99; 99 of 100 is below 99.9 only
    assert await totals(database, tenant, 1, 2, 3) == ["60.00", "72.00", "0.00"]


async def test_contracts_begin_with_a_period_and_do_not_overlap(
    database: Database, tenant: Tenant
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await agree(database, tenant, start=month(1), periods=1)
    assert caught.value.errors[0].field == "start"
    await agree(database, tenant, periods=3)
    with pytest.raises(Conflict):
        await agree(database, tenant, start=datetime(2026, 3, 1, tzinfo=UTC), periods=1)
    await agree(database, tenant, start=datetime(2026, 4, 1, tzinfo=UTC), periods=1)
    async with database.begin() as connection:
        assert len(await list_contracts(connection, tenant.id)) == 2


class TestCoupons:
    """Off the bill for so many periods, once a tenant."""

    async def make(self, database: Database, **terms: object) -> Coupon:
        coupon = Coupon.model_validate({"id": "welcome", "name": "Welcome"} | terms)
        async with database.begin() as connection:
            return await put_coupon(connection, coupon)

    async def take(
        self,
        database: Database,
        tenant: Tenant,
        name: str = "welcome",
        now: datetime = datetime(2026, 1, 15, tzinfo=UTC),
    ) -> object:
        async with database.begin() as connection:
            return await redeem(connection, tenant, name, now)

    async def test_for_its_periods(self, database: Database, tenant: Tenant) -> None:
        await self.make(database, percent="50", periods=2)
        await self.make(database, id="five", amount="5", currency="USD", periods=None)
        await use(database, tenant, {1: 80, 2: 80, 3: 80})
        for _ in range(2):
            await self.take(database, tenant)
        await self.take(database, tenant, "five", month(2))
        assert await totals(database, tenant, 1, 2, 3) == ["40.00", "35.00", "75.00"]

    async def test_as_often_as_it_can_be_also_in_a_race(self, database: Database) -> None:
        await self.make(database, percent="50", max_redemptions=3)
        several = [await make_tenant(database) for _ in range(8)]
        results = await asyncio.gather(
            *(self.take(database, customer) for customer in several), return_exceptions=True
        )
        assert sum(isinstance(result, Conflict) for result in results) == 5

    async def test_what_can_not_be_redeemed(self, database: Database, tenant: Tenant) -> None:
        await self.make(database, amount="5", currency="EUR")
        await self.make(database, id="over", percent="5", redeem_by=month(1).isoformat())
        with pytest.raises(CouponCurrencyMismatch, match="in EUR"):
            await self.take(database, tenant)
        with pytest.raises(CouponExpired):
            await self.take(database, tenant, "over", month(1) + timedelta(seconds=1))
        with pytest.raises(NotFound):
            await self.take(database, tenant, "none")
        with pytest.raises(CouponIdTaken, match="never changes"):
            await self.make(database, percent="6")
