"""Wallets on PostgreSQL: nothing is spent twice, nothing goes below zero, nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from backend.catalog.published import apply_catalog
from backend.errors import Conflict, InvalidInput
from backend.pricing.credit.wallet import InsufficientCredit
from backend.pricing.periods import billing_period
from backend.storage.database import Database
from backend.storage.tables import credit_grants, ledger_entries
from backend.subscriptions.changes import change_plan, start_subscription
from backend.subscriptions.periods import period_at
from backend.wallets.bills import pay_from_credit
from backend.wallets.grants import add_grant, refund_grant
from backend.wallets.holds import (
    LAPSE,
    Settled,
    release,
    reserve,
    settle,
)
from backend.wallets.lapses import end_lapsed
from backend.wallets.queries import list_grants, list_top_ups, set_wallet, wallet_balance
from backend.wallets.top_ups import ask_for_top_up, finish_top_up, refresh_and_check
from backend.wallets.used_by_calls import used_by_calls
from backend.wallets.worker import keep_wallets
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.subscriptions import SubscriptionChange
from backend_client.types.wallets import (
    CreditGrant,
    CreditGrantCreate,
    CreditKind,
    TopUp,
    TopUpCreate,
    TopUpOutcome,
    TopUpRule,
    WalletBalance,
    WalletSettings,
)
from tests.support.billing import NOW, catalog_with

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


async def give(
    database: Database, tenant: Tenant, amount: str, now: datetime = NOW, **more: object
) -> CreditGrant:
    fields = {"name": "A grant", "kind": CreditKind.PAID, "amount": Decimal(amount)}
    wanted = CreditGrantCreate(**(fields | more))
    async with database.begin() as connection:
        return await add_grant(connection, tenant.id, wanted, now)


async def hold(
    database: Database, tenant: Tenant, name: str, amount: str, now: datetime = NOW
) -> None:
    async with database.begin() as connection:
        await reserve(connection, tenant.id, name, "large", Decimal(amount), now)


async def pay(
    database: Database, tenant: Tenant, name: str, cost: str, now: datetime = NOW
) -> Settled:
    async with database.begin() as connection:
        return await settle(connection, tenant.id, name, Decimal(cost), now)


async def let_go(database: Database, tenant: Tenant, name: str, now: datetime = NOW) -> None:
    async with database.begin() as connection:
        await release(connection, tenant.id, name, now)


async def balance(database: Database, tenant: Tenant, at: datetime = NOW) -> WalletBalance:
    async with database.begin() as connection:
        return await wallet_balance(connection, tenant, at)


async def grants(database: Database, tenant: Tenant) -> dict[str, CreditGrant]:
    async with database.begin() as connection:
        page = await list_grants(connection, tenant.id, cursor=None, limit=100)
    return {grant.id: grant for grant in page.items}


async def top_ups(database: Database, tenant: Tenant) -> list[TopUp]:
    async with database.begin() as connection:
        return (await list_top_ups(connection, tenant.id, cursor=None, limit=100)).items


async def check_the_ledger(database: Database, tenant: Tenant) -> None:
    """The grants' sums are those of the ledger, and it was never below zero on the way."""
    async with database.begin() as connection:
        rows = await connection.execute(
            select(ledger_entries)
            .where(ledger_entries.c.tenant_id == tenant.id)
            .order_by(ledger_entries.c.number)
        )
        entries = rows.mappings().all()
        rows = await connection.execute(
            select(credit_grants).where(credit_grants.c.tenant_id == tenant.id)
        )
        kept = rows.mappings().all()
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    assert all(entry["at"] <= other["at"] for entry, other in pairwise(entries))
    sums: dict[tuple[str, str], Decimal] = {}
    for entry in entries:
        for account, sign in ((entry["source"], -1), (entry["target"], 1)):
            key = (entry["grant_id"], account)
            sums[key] = sums.get(key, Decimal(0)) + sign * entry["amount"]
            assert account == "granted" or sums[key] >= 0
    for grant in kept:
        for account in ("available", "reserved", "used", "expired", "refunded"):
            assert grant[account] == sums.get((grant["id"], account), 0)
        assert grant["amount"] == -sums[grant["id"], "granted"]


async def test_a_call_is_reserved_settled_and_the_rest_comes_back(
    database: Database, tenant: Tenant
) -> None:
    await give(database, tenant, "10")
    await hold(database, tenant, "call", "4")
    held = await balance(database, tenant)
    assert (held.available, held.reserved, held.spendable) == (6, 4, 6)
    assert await pay(database, tenant, "call", "1.000001") == Settled(
        Decimal("1.000001"), Decimal(0)
    )
    assert (await balance(database, tenant)).available == Decimal("8.999999")
    # Whatever comes again changes nothing
    assert (await pay(database, tenant, "call", "3")).used == Decimal("1.000001")
    await let_go(database, tenant, "call")
    await hold(database, tenant, "call", "4")
    assert (await balance(database, tenant)).available == Decimal("8.999999")
    await check_the_ledger(database, tenant)


async def test_an_empty_wallet_refuses_and_nothing_moves(
    database: Database, tenant: Tenant
) -> None:
    await give(database, tenant, "1")
    with pytest.raises(InsufficientCredit) as caught:
        await hold(database, tenant, "call", "1.5")
    assert caught.value.missing == Decimal("0.5")
    assert (await balance(database, tenant)).available == 1
    await hold(database, tenant, "free", "0")  # a call that costs nothing needs no credit
    assert await pay(database, tenant, "free", "0") == Settled(Decimal(0), Decimal(0))


async def test_what_costs_more_than_was_reserved_takes_what_there_is(
    database: Database, tenant: Tenant
) -> None:
    await give(database, tenant, "5")
    await hold(database, tenant, "call", "2")
    assert await pay(database, tenant, "call", "7") == Settled(Decimal(5), Decimal(2))
    assert (await balance(database, tenant)).available == 0
    await check_the_ledger(database, tenant)


async def test_sixty_four_clients_racing_never_overdraw(database: Database, tenant: Tenant) -> None:
    """Each reserves, settles or releases, twice at once; credit conserves to the last digit."""
    await give(database, tenant, "6", kind=CreditKind.PROMOTIONAL, expires_at=NOW + DAY)
    await give(database, tenant, "5.5")
    refused = 0
    spent: list[Decimal] = []

    async def client(number: int) -> None:
        nonlocal refused
        for turn in range(3):
            name = f"{number}-{turn}"
            both = (hold(database, tenant, name, "0.3") for _ in range(2))
            held = await asyncio.gather(*both, return_exceptions=True)
            if None not in held:
                assert all(isinstance(failure, InsufficientCredit) for failure in held)
                refused += 1
                continue
            if (number + turn) % 3 == 0:
                await let_go(database, tenant, name)
                continue
            cost = f"0.{(number * 37 + turn * 11) % 300:03}001"
            twice = await asyncio.gather(*(pay(database, tenant, name, cost) for _ in range(2)))
            assert twice[0] == twice[1] == Settled(Decimal(cost), Decimal(0))
            spent.append(Decimal(cost))

    wide = Database(database.url, pool_size=16)
    original, database = database, wide
    try:
        await asyncio.gather(*(client(number) for number in range(64)))
    finally:
        database = original
        await wide.close()
    after = await balance(database, tenant)
    assert refused > 0
    assert after.reserved == 0
    assert after.used == sum(spent)
    assert after.available == Decimal("11.5") - sum(spent)
    await check_the_ledger(database, tenant)


async def test_more_races_than_credit_stops_at_zero(database: Database, tenant: Tenant) -> None:
    await give(database, tenant, "10")
    results = await asyncio.gather(
        *(hold(database, tenant, f"call-{number}", "1") for number in range(64)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, InsufficientCredit) for result in results) == 54
    assert sum(result is None for result in results) == 10
    assert (await balance(database, tenant)).available == 0


async def test_a_hold_whose_gateway_died_lapses_and_can_still_be_paid(
    database: Database, tenant: Tenant
) -> None:
    await give(database, tenant, "10")
    await hold(database, tenant, "call", "8")
    assert await end_lapsed(database, NOW + LAPSE - timedelta(seconds=1)) == 0
    assert await end_lapsed(database, NOW + LAPSE) == 1
    assert (await balance(database, tenant, NOW + LAPSE)).available == 10
    assert await pay(database, tenant, "call", "3", NOW + 2 * LAPSE) == Settled(
        Decimal(3), Decimal(0)
    )
    with pytest.raises(KeyError):
        await pay(database, tenant, "never made", "1")


async def test_credit_burns_by_model_and_expiry(database: Database, tenant: Tenant) -> None:
    small = await give(database, tenant, "5", models=["small"], expires_at=NOW + HOUR)
    soon = await give(database, tenant, "1", expires_at=NOW + DAY)
    any_time = await give(database, tenant, "5")
    await hold(database, tenant, "call", "3")
    await pay(database, tenant, "call", "2")
    by_id = await grants(database, tenant)
    assert [by_id[grant.id].used for grant in (small, soon, any_time)] == [0, 1, 1]


async def test_what_is_over_expires_once(database: Database, tenant: Tenant) -> None:
    grant = await give(database, tenant, "10", expires_at=NOW + DAY)
    await hold(database, tenant, "call", "4", NOW + DAY - HOUR / 2)
    assert await keep_wallets(database, NOW + DAY) == 1
    await pay(database, tenant, "call", "1", NOW + DAY)
    await keep_wallets(database, NOW + DAY + HOUR)
    await keep_wallets(database, NOW + DAY + HOUR)
    grant = (await grants(database, tenant))[grant.id]
    assert (grant.used, grant.expired, grant.available) == (1, 9, 0)
    with pytest.raises(InvalidInput):
        await give(database, tenant, "1", NOW + DAY, expires_at=NOW + DAY)
    await check_the_ledger(database, tenant)


async def test_balances_as_of_any_instant(database: Database, tenant: Tenant) -> None:
    await give(database, tenant, "10", expires_at=NOW + 3 * DAY)
    await hold(database, tenant, "call", "4", NOW + HOUR)
    await pay(database, tenant, "call", "1", NOW + 2 * HOUR)
    await keep_wallets(database, NOW + 4 * DAY)
    seen = {
        at: (await balance(database, tenant, NOW + at))
        .model_dump(include={"spendable", "reserved", "used", "expired"})
        .values()
        for at in (-HOUR, timedelta(0), HOUR, 2 * HOUR, 3 * DAY, 4 * DAY)
    }
    assert [list(map(str, values)) for values in seen.values()] == [
        ["0", "0", "0", "0"],
        ["10", "0", "0", "0"],
        ["6", "4", "0", "0"],
        ["9", "0", "1", "0"],
        ["0", "0", "1", "0"],  # over, though not yet written off
        ["0", "0", "1", "9"],
    ]


async def test_only_bought_credit_is_refunded_and_once(database: Database, tenant: Tenant) -> None:
    bought = await give(database, tenant, "10")
    gift = await give(database, tenant, "10", kind=CreditKind.PROMOTIONAL)
    await hold(database, tenant, "call", "12")
    await pay(database, tenant, "call", "12")
    for _ in range(2):
        async with database.begin() as connection:
            refunded = await refund_grant(connection, tenant.id, bought.id, NOW)
        assert (refunded.refunded, refunded.available) == (8, 0)
    with pytest.raises(Conflict):
        async with database.begin() as connection:
            await refund_grant(connection, tenant.id, gift.id, NOW)


async def test_a_bill_is_paid_from_credit_once(database: Database, tenant: Tenant) -> None:
    await give(database, tenant, "10")
    await give(database, tenant, "10", models=["small"])
    for bill, amount, paid in (("inv_1", 7, 7), ("inv_1", 7, 7), ("inv_2", 7, 3), ("inv_3", 7, 0)):
        async with database.begin() as connection:
            period = await period_at(connection, tenant, NOW)
            used = await pay_from_credit(connection, tenant, bill, Decimal(amount), period, NOW)
            assert used == paid


async def test_a_ledger_entry_can_not_be_changed(database: Database, tenant: Tenant) -> None:
    await give(database, tenant, "10")
    for statement in ("UPDATE ledger_entries SET amount = 1", "DELETE FROM ledger_entries"):
        with pytest.raises(IntegrityError, match="can not be changed"):
            async with database.begin() as connection:
                await connection.execute(text(statement))
    with pytest.raises(IntegrityError, match="never_below_zero"):
        async with database.begin() as connection:
            await connection.execute(
                update(credit_grants).values(available=-1, used=credit_grants.c.amount + 1)
            )
    async with database.begin() as connection:  # with its tenant it goes
        await connection.execute(text("DELETE FROM tenants"))
        assert await connection.scalar(text("SELECT count(*) FROM ledger_entries")) == 0


class TestRecurring:
    """Credit that a plan brings every period."""

    @pytest.fixture
    async def applied(self, database: Database) -> Catalog:
        monthly = {"id": "monthly", "name": "Monthly credit", "amount": "10", "rollover_cap": "4"}
        welcome = {"id": "hello", "name": "Welcome", "amount": "3", "recurs": False}
        catalog = catalog_with(
            plans=[
                {"id": "free", "name": "Free"},
                {
                    "id": "credits",
                    "name": "Credits",
                    "prepaid": True,
                    "grants": [monthly, welcome],
                },
            ]
        )
        async with database.begin() as connection:
            await apply_catalog(connection, catalog)
        return catalog

    async def test_it_comes_once_a_period_however_often_it_is_looked_at(
        self, database: Database, tenant: Tenant, applied: Catalog
    ) -> None:
        async with database.begin() as connection:
            await start_subscription(connection, tenant.id, "credits", NOW)
        moments = [NOW + timedelta(hours=77) * number for number in range(25)]
        for moment in moments:
            await asyncio.gather(*(keep_wallets(database, moment) for _ in range(3)))
        by_id = await grants(database, tenant)
        assert {name: str(grant.amount) for name, grant in by_id.items()} == {
            "credits.hello": "3",
            "credits.monthly:2026-03-01T00:00Z": "6.93",  # from noon of the 10th on
            "credits.monthly:2026-04-01T00:00Z": "10",
            "credits.monthly:2026-04-01T00:00Z:rollover": "4",
            "credits.monthly:2026-05-01T00:00Z": "10",
            "credits.monthly:2026-05-01T00:00Z:rollover": "4",
        }
        await check_the_ledger(database, tenant)

    async def test_what_is_left_is_carried_on_up_to_the_cap(
        self, database: Database, tenant: Tenant, applied: Catalog
    ) -> None:
        async with database.begin() as connection:
            await start_subscription(connection, tenant.id, "credits", NOW)
        await hold(database, tenant, "call", "9.5")  # brings what is due itself
        await pay(database, tenant, "call", "5.43")
        async with database.begin() as connection:
            await refresh_and_check(connection, tenant.id, datetime(2026, 4, 1, tzinfo=UTC))
        by_id = await grants(database, tenant)
        assert by_id["credits.monthly:2026-04-01T00:00Z:rollover"].amount == Decimal("1.5")
        assert by_id["credits.monthly:2026-03-01T00:00Z"].expired == Decimal("1.5")

    async def test_going_to_the_plan_brings_it_and_coming_back_does_not(
        self, database: Database, tenant: Tenant, applied: Catalog
    ) -> None:
        async with database.begin() as connection:
            await start_subscription(connection, tenant.id, "free", NOW)
        now = NOW
        for plan in ("credits", "free", "credits"):
            now += HOUR
            async with database.begin() as connection:
                await change_plan(connection, tenant.id, SubscriptionChange(plan=plan), now)
            await keep_wallets(database, now + HOUR / 2)
        assert sorted(await grants(database, tenant)) == [
            "credits.hello",
            "credits.monthly:2026-03-01T00:00Z",
        ]


class TestTopUps:
    """A shortage buys once, and never more than the ceiling in a day of the tenant's."""

    rule = WalletSettings(
        top_up=TopUpRule(threshold=Decimal(5), amount=Decimal(10), daily_ceiling=Decimal(25)),
        low_balance=Decimal(6),
    )

    async def use(self, database: Database, tenant: Tenant, name: str, cost: str, now: datetime):
        await hold(database, tenant, name, cost, now)
        await pay(database, tenant, name, cost, now)

    async def finish(
        self, database: Database, tenant: Tenant, top_up: TopUp, state: str, now: datetime = NOW
    ) -> TopUp:
        async with database.begin() as connection:
            outcome = TopUpOutcome(state=state, reference=f"payment of {top_up.id}")
            return await finish_top_up(connection, tenant.id, top_up.id, outcome, now)

    async def test_a_shortage_asks_once_also_in_a_race(
        self, database: Database, tenant: Tenant
    ) -> None:
        async with database.begin() as connection:
            await set_wallet(connection, tenant.id, self.rule)
        await give(database, tenant, "8")
        assert await top_ups(database, tenant) == []
        await asyncio.gather(
            *(self.use(database, tenant, f"call-{number}", "0.1", NOW) for number in range(40))
        )
        (asked,) = await top_ups(database, tenant)
        assert (asked.state, asked.amount, asked.automatic_on) == ("pending", 10, date(2026, 3, 10))
        assert (await balance(database, tenant)).low_since == NOW
        for _ in range(3):
            assert (await self.finish(database, tenant, asked, "paid")).state == "paid"
        after = await balance(database, tenant)
        assert (after.available, after.low_since) == (14, None)
        with pytest.raises(Conflict):
            await self.finish(database, tenant, asked, "failed")

    async def test_the_ceiling_holds_for_the_tenants_day(
        self, database: Database, tenant: Tenant
    ) -> None:
        async with database.begin() as connection:
            await set_wallet(connection, tenant.id, self.rule)
        await give(database, tenant, "5")
        for number in range(4):
            await self.use(database, tenant, f"day one {number}", "4", NOW)
            for top_up in await top_ups(database, tenant):
                await self.finish(database, tenant, top_up, "paid")
        bought = await top_ups(database, tenant)
        assert [top_up.amount for top_up in bought] == [10, 10]
        await self.use(database, tenant, "down", "7", NOW)
        assert len(await top_ups(database, tenant)) == 2  # 20 of 25 today, 10 more is too much
        await self.use(database, tenant, "tomorrow", "0.1", NOW + DAY)
        assert len(await top_ups(database, tenant)) == 3

    async def test_a_payment_that_fails_is_not_tried_again_the_same_day(
        self, database: Database, tenant: Tenant
    ) -> None:
        async with database.begin() as connection:
            await set_wallet(connection, tenant.id, self.rule)
        await give(database, tenant, "5")
        await self.use(database, tenant, "one", "1", NOW)
        (asked,) = await top_ups(database, tenant)
        await self.finish(database, tenant, asked, "failed")
        await self.use(database, tenant, "two", "1", NOW + HOUR)
        assert len(await top_ups(database, tenant)) == 1
        await self.use(database, tenant, "three", "1", NOW + DAY)
        assert len(await top_ups(database, tenant)) == 2
        assert (await balance(database, tenant, NOW + DAY)).available == 2

    async def test_a_person_can_ask_and_a_repeated_request_asks_once(
        self, database: Database, tenant: Tenant
    ) -> None:
        for _ in range(2):
            async with database.begin() as connection:
                wanted = TopUpCreate(amount=Decimal(50))
                asked = await ask_for_top_up(
                    connection, tenant.id, wanted, NOW, idempotency_key="click"
                )
        assert await top_ups(database, tenant) == [asked]
        assert asked.automatic_on is None


async def test_what_calls_took_in_a_period(database: Database, tenant: Tenant) -> None:
    await give(database, tenant, "10")
    for name, cost, at in (("a", "1", NOW), ("b", "2", NOW + DAY), ("c", "4", NOW + 30 * DAY)):
        await hold(database, tenant, name, cost, at)
        await pay(database, tenant, name, cost, at)
    async with database.begin() as connection:
        used = await used_by_calls(connection, tenant.id, billing_period(NOW, "UTC"))
        assert used.amount == 3
