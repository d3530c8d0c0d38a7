"""Calls paid from the wallet: what is set aside, what is taken, and what comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from backend.catalog.published import apply_catalog
from backend.metering.counting.batches import count_events
from backend.metering.counting.corrections import Amended, CorrectionWanted
from backend.metering.events import AcceptedEvent
from backend.pricing.credit.call_cost import CallCosts
from backend.pricing.periods import billing_period
from backend.storage.database import Database
from backend.storage.tables import events, ledger_entries
from backend.subscriptions.changes import cancel, change_plan, start_subscription
from backend.wallets.corrections import correct_events
from backend.wallets.errors import CreditExhausted
from backend.wallets.holds import LAPSE
from backend.wallets.lapses import end_lapsed
from backend.wallets.prepayment import Prepayment
from backend.wallets.queries import set_wallet
from backend.wallets.top_ups import finish_top_up
from backend.wallets.used_by_calls import used_by_calls
from backend.wallets.worker import keep_wallets
from backend_client.types.accounts import Tenant
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import SubscriptionCancel, SubscriptionChange
from backend_client.types.wallets import CreditKind, TopUpOutcome, TopUpRule, WalletSettings
from tests.support.billing import NOW, catalog_with
from tests.wallets.test_wallets import (
    DAY,
    HOUR,
    balance,
    check_the_ledger,
    give,
    grants,
    hold,
    pay,
    top_ups,
)

pytestmark = pytest.mark.engine

CALLS = {
    "id": "input",
    "name": "Input",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "unit_size": 1,
    "price": "0.5",
}
PREPAID = {"id": "prepaid", "name": "Prepaid", "prepaid": True, "charges": [CALLS]}
TRIED = PREPAID | {"id": "tried", "trial_days": 7}
GRANTED = PREPAID | {
    "id": "granted",
    "grants": [{"id": "monthly", "name": "Monthly", "amount": "10", "rollover_cap": "4"}],
}
NOTHING = PREPAID | {"id": "nothing", "grants": [{"id": "none", "name": "None", "amount": "0"}]}
GATEWAY = "farebox://gateway"


@pytest.fixture(autouse=True)
async def applied(database: Database) -> None:
    async with database.begin() as connection:
        plans = [{"id": "free", "name": "Free"}, PREPAID, TRIED, GRANTED, NOTHING]
        await apply_catalog(connection, catalog_with(plans=plans))


async def subscribe(database: Database, tenant: Tenant, plan: str, at: datetime = NOW) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, plan, at)


async def call(
    database: Database, tenant: Tenant, name: str, units: int, at: datetime = NOW
) -> None:
    """A call that used all that was reserved."""
    most, prepayment = {"input_tokens": Decimal(units)}, Prepayment(database)
    assert await prepayment.reserve(tenant.id, name, "large", most, at)
    await prepayment.settle(tenant.id, name, "large", most, at, at)


async def counted(database: Database, tenant: Tenant, name: str, units: int) -> None:
    """The event of a call, as the gateway records it."""
    event = AcceptedEvent(
        tenant_id=tenant.id,
        sender="gateway",
        source=GATEWAY,
        id=name,
        time=NOW,
        received_at=NOW,
        application_id="app_1",
        model="large",
        quantities={"input_tokens": Decimal(units)},
    )
    async with database.raw() as connection:
        await count_events(connection, [event])


async def correct(
    database: Database, tenant: Tenant, number: int, call_id: str, units: int | None, now: datetime
) -> None:
    data = None
    if units is not None:
        quantities = {"input_tokens": Decimal(units)}
        data = Amended(application_id="app_1", model="large", quantities=quantities)
    wanted = CorrectionWanted(
        id=f"fix-{number}",
        event_source=GATEWAY,
        event_id=call_id,
        data=data,
        reason="it was wrong",
        actor="operator",
    )
    async with database.begin() as connection:
        await correct_events(connection, tenant.id, [wanted], now)


async def test_a_corrected_call_gives_back_the_last_that_burnt_first(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "prepaid")
    soon = await give(database, tenant, "3", kind=CreditKind.PROMOTIONAL, expires_at=NOW + 2 * HOUR)
    later = await give(database, tenant, "10")
    await call(database, tenant, "req_1", 10)  # 3 and 2

    async def used() -> tuple[Decimal, Decimal]:
        by_id = await grants(database, tenant)
        return by_id[soon.id].used, by_id[later.id].used

    assert await used() == (3, 2)
    await correct(database, tenant, 1, "req_1", 8, NOW + HOUR)
    assert await used() == (3, 1)
    await correct(database, tenant, 2, "req_1", 22, NOW + HOUR)  # it takes what there is
    assert await used() == (3, 8)
    await correct(database, tenant, 1, "req_1", 8, NOW + HOUR)  # an old one, repeated
    assert await used() == (3, 8)
    await correct(database, tenant, 3, "req_1", None, NOW + 3 * HOUR)
    assert await used() == (0, 0)
    # What came back of the one that is over goes the way it would have gone
    assert (await balance(database, tenant, NOW + 3 * HOUR)).spendable == 10
    await keep_wallets(database, NOW + 3 * HOUR)
    assert (await grants(database, tenant))[soon.id].expired == 3
    async with database.begin() as connection:
        used = await used_by_calls(connection, tenant.id, billing_period(NOW, "UTC"))
        assert used.amount == 0
    await check_the_ledger(database, tenant)


async def test_a_correction_of_a_call_that_is_not_settled_yet_settles_it(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "prepaid")
    await give(database, tenant, "10")
    most, prepayment = {"input_tokens": Decimal(10)}, Prepayment(database)
    await prepayment.reserve(tenant.id, "req_1", "large", most, NOW)
    await correct(database, tenant, 1, "req_1", 4, NOW)
    await prepayment.settle(tenant.id, "req_1", "large", most, NOW, NOW)
    assert (await balance(database, tenant)).used == 2
    # And one that reserved nothing moves nothing
    await correct(database, tenant, 2, "req_9", 4, NOW)
    assert (await balance(database, tenant)).used == 2


async def test_a_refused_call_asks_for_a_top_up_on_the_day_after_one_failed(
    database: Database, tenant: Tenant
) -> None:
    """An empty wallet would else stay empty: no call goes through that could ask."""
    await subscribe(database, tenant, "prepaid")
    rule = TopUpRule(threshold=Decimal(5), amount=Decimal(10), daily_ceiling=Decimal(10))
    async with database.begin() as connection:
        await set_wallet(connection, tenant.id, WalletSettings(top_up=rule))
    for name, at, asked in (("one", NOW, 1), ("two", NOW + HOUR, 1), ("three", NOW + DAY, 2)):
        with pytest.raises(CreditExhausted):
            await call(database, tenant, name, 1, at)
        requests = await top_ups(database, tenant)
        assert len(requests) == asked
        failed = TopUpOutcome(state="failed", reference="card refused")
        async with database.begin() as connection:
            await finish_top_up(connection, tenant.id, requests[0].id, failed, at)


async def test_credit_that_expires_leaves_little_and_that_is_noticed(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "prepaid")
    rule = TopUpRule(threshold=Decimal(5), amount=Decimal(10), daily_ceiling=Decimal(10))
    async with database.begin() as connection:
        wanted = WalletSettings(top_up=rule, low_balance=Decimal(1))
        await set_wallet(connection, tenant.id, wanted)
    await give(database, tenant, "10", expires_at=NOW + HOUR)
    await keep_wallets(database, NOW + HOUR)
    assert (await balance(database, tenant)).low_since == NOW + HOUR
    assert len(await top_ups(database, tenant)) == 1


async def test_a_trial_takes_nothing_from_the_wallet(database: Database, tenant: Tenant) -> None:
    await subscribe(database, tenant, "tried")
    await give(database, tenant, "10")
    prepayment = Prepayment(database)
    assert not await prepayment.reserve(tenant.id, "req_1", "large", {}, NOW)
    await call(database, tenant, "req_2", 2, NOW + 8 * DAY)
    assert (await balance(database, tenant, NOW + 8 * DAY)).used == 1


async def test_the_ledger_says_when_a_call_was_over(database: Database, tenant: Tenant) -> None:
    await subscribe(database, tenant, "prepaid")
    await give(database, tenant, "10")
    end = NOW + timedelta(minutes=4)
    most, prepayment = {"input_tokens": Decimal(10)}, Prepayment(database)
    await prepayment.reserve(tenant.id, "req_1", "large", most, NOW)
    await prepayment.settle(tenant.id, "req_1", "large", most, NOW, end)
    assert (await balance(database, tenant, NOW + timedelta(minutes=2))).reserved == 5
    assert (await balance(database, tenant, end)).used == 5


async def test_a_call_is_of_the_period_that_it_was_made_in(
    database: Database, tenant: Tenant
) -> None:
    """Also if another replica's clock had carried the ledger into the next one."""
    await subscribe(database, tenant, "prepaid")
    april = datetime(2026, 4, 1, tzinfo=UTC)
    await give(database, tenant, "10", now=april + timedelta(seconds=1))
    await call(database, tenant, "req_1", 10, april - timedelta(seconds=1))
    async with database.begin() as connection:
        used = await used_by_calls(connection, tenant.id, billing_period(NOW, "UTC"))
        assert used.amount == 5
        at = await connection.scalar(
            select(ledger_entries.c.at).where(ledger_entries.c.cause == "req_1").limit(1)
        )
    assert at == april + timedelta(seconds=1)  # the ledger's own time never goes back


async def test_credit_comes_with_a_plan_that_begins_later_than_it_was_chosen(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "free", NOW - DAY)
    async with database.begin() as connection:
        await cancel(connection, tenant.id, SubscriptionCancel(when="now"), NOW - HOUR)
        await change_plan(connection, tenant.id, SubscriptionChange(plan="granted"), NOW)
    await keep_wallets(database, NOW)  # the worker looks before the next quarter hour begins
    assert await grants(database, tenant) == {}
    await keep_wallets(database, NOW + HOUR)
    assert list(await grants(database, tenant)) == ["granted.monthly:2026-03-01T00:00Z"]


async def test_what_is_carried_on_does_not_hang_on_who_looked_when(
    database: Database, tenant: Tenant
) -> None:
    """What a call holds when the period ends comes back to credit that is over."""
    await subscribe(database, tenant, "granted", datetime(2026, 3, 1, tzinfo=UTC))
    april = datetime(2026, 4, 1, tzinfo=UTC)
    await hold(database, tenant, "req_1", "8", april - timedelta(seconds=5))
    # Nobody looked at the wallet since the period ended
    await pay(database, tenant, "req_1", "1", april + timedelta(seconds=5))
    await keep_wallets(database, april + HOUR)
    by_id = await grants(database, tenant)
    assert by_id["granted.monthly:2026-04-01T00:00Z:rollover"].amount == 2
    assert by_id["granted.monthly:2026-03-01T00:00Z"].expired == 9


async def test_a_grant_of_nothing_brings_nothing_and_breaks_nothing(
    database: Database, tenant: Tenant
) -> None:
    await subscribe(database, tenant, "nothing")
    await give(database, tenant, "1")
    await call(database, tenant, "req_1", 1)
    assert len(await grants(database, tenant)) == 1


@pytest.mark.parametrize(
    ("prices", "most"),
    [
        ({"input_tokens": "3", "output_tokens": "10"}, "23"),
        ({"input_tokens": "3", "cached_input_tokens": "1", "output_tokens": "10"}, "23"),
        ({"input_tokens": "3", "output_tokens": "10", "reasoning_tokens": "12"}, "27"),
        ({"cached_input_tokens": "4", "reasoning_tokens": "5"}, "14"),
    ],
)
def test_the_most_that_a_call_can_cost_is_its_tokens_at_the_dearest(
    prices: dict[str, str], most: str
) -> None:
    charges = [
        CALLS | {"id": meter.replace("_", "-"), "meters": [meter], "price": price}
        for meter, price in prices.items()
    ]
    costs = CallCosts(PlanDefinition.model_validate(PREPAID | {"charges": charges}))
    units = {"input_tokens": Decimal(1), "output_tokens": Decimal(2)}
    assert costs.greatest("large", units, NOW) == Decimal(most)


async def test_a_call_that_was_counted_and_never_settled_is_paid_when_it_lapses(
    database: Database, tenant: Tenant
) -> None:
    """Its gateway was killed, or a crash of PostgreSQL lost the settlement."""
    await subscribe(database, tenant, "prepaid")
    await give(database, tenant, "20")
    most, prepayment = {"input_tokens": Decimal(6)}, Prepayment(database)
    for name in ("counted", "voided", "settled", "lost"):
        await prepayment.reserve(tenant.id, name, "large", most, NOW)
        if name != "lost":
            await counted(database, tenant, name, 4)
    await prepayment.settle(tenant.id, "settled", "large", {"input_tokens": Decimal(4)}, NOW, NOW)
    async with database.begin() as connection:
        await connection.execute(update(events).where(events.c.id == "voided").values(voided=True))
    assert await end_lapsed(database, NOW + LAPSE) == 3
    assert await end_lapsed(database, NOW + LAPSE) == 0
    after = await balance(database, tenant, NOW + LAPSE)
    assert [after.used, after.reserved, after.available] == [4, 0, 16]
    await check_the_ledger(database, tenant)
