"""Wallets, subscriptions' terms, contracts, coupons and simulations through both clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend_client import Conflict, NotFound
from backend_client.types.contracts import (
    AmendmentCreate,
    CommitmentTerms,
    ContractCreate,
    Coupon,
    Ramp,
)
from backend_client.types.plan_versions import MigrationRequest
from backend_client.types.simulate import SimulationRequest
from backend_client.types.subscriptions import (
    BillingAnchor,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)
from backend_client.types.wallets import (
    CreditGrantCreate,
    CreditKind,
    TopUpCreate,
    TopUpOutcome,
    WalletSettings,
)
from tests.client.conftest import Maker

pytestmark = pytest.mark.engine


async def test_wallet(client: Maker, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person.me.get()).tenant.id
    wanted = CreditGrantCreate(name="Bought", kind=CreditKind.PAID, amount=Decimal("2.5"))
    grant = await operator.wallet.grants.create(wanted, tenant=tenant)
    assert (await person.wallet.get()).spendable == Decimal("2.5")
    past = await person.wallet.get(at=datetime.now(UTC) - timedelta(days=1))
    assert past.spendable == 0
    assert [item.id for item in await person.wallet.grants.list().all()] == [grant.id]
    refunded = await operator.wallet.grants.refund(grant.id, tenant=tenant)
    assert refunded.refunded == Decimal("2.5")
    assert [entry.target for entry in await person.wallet.ledger.list().all()] == [
        "refunded",
        "available",
    ]
    asked = await person.wallet.top_ups.create(TopUpCreate(amount=Decimal(10)))
    done = await operator.wallet.top_ups.resolve(
        asked.id, TopUpOutcome(state="paid", reference="p 1"), tenant=tenant
    )
    assert await person.wallet.top_ups.list().all() == [done]
    (waits, _) = [
        await person.wallet.top_ups.create(TopUpCreate(amount=Decimal(n))) for n in (7, 8)
    ]
    waiting = await operator.wallet.top_ups.waiting().all()
    assert [top_up.amount for top_up in waiting] == [7, 8]
    assert (waiting[0].tenant_id, waiting[0].id) == (tenant, waits.id)
    assert (waiting[0].tenant_name, waiting[0].currency) == ("Local", "USD")
    first = await person.wallet.top_ups.list(limit=2).page()
    rest = await person.wallet.top_ups.list(limit=2, cursor=first.next_cursor).page()
    assert [top_up.amount for top_up in [*first.items, *rest.items]] == [8, 7, 10]
    newest = await person.wallet.ledger.list(limit=1).page()
    before = await person.wallet.ledger.list(limit=1, cursor=newest.next_cursor).page()
    assert [entry.number for entry in [*newest.items, *before.items]] == [3, 2]
    assert await operator.wallet.ledger.list(limit=1, tenant=tenant).page() == newest
    assert await operator.wallet.top_ups.list(limit=2, tenant=tenant).page() == first
    assert (
        await operator.wallet.grants.list(tenant=tenant).all()
        == await person.wallet.grants.list().all()
    )
    seen = await operator.wallet.get(tenant=tenant)
    assert seen.spendable == (await person.wallet.get()).spendable == 10
    assert (
        await operator.wallet.get(at=datetime.now(UTC) - timedelta(days=1), tenant=tenant)
    ).spendable == 0
    kept = await person.wallet.update(WalletSettings(low_balance=Decimal(3)))
    assert (kept.spendable, kept.settings.low_balance) == (10, 3)


async def test_subscription_terms(client: Maker, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person.me.get()).tenant.id
    assert (await person.subscription.pause(SubscriptionPause())).state == "paused"
    assert (await person.subscription.resume()).state == "active"
    with pytest.raises(Conflict):
        await person.subscription.resume()
    ended = await person.subscription.cancel(SubscriptionCancel())
    assert ended.end is not None
    moved = await operator.subscription.update(SubscriptionChange(plan="enterprise"), tenant=tenant)
    assert moved.plan.definition.by_contract
    first = await operator.subscription.set_billing_anchor(BillingAnchor(day=31), tenant=tenant)
    assert first.start == ended.end


async def test_agreements(client: Maker, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person.me.get()).tenant.id
    start = (await person.spend.report()).period.start
    commitment = CommitmentTerms(ramps=[Ramp(amount=Decimal(10), periods=3)])
    terms = ContractCreate(name="Deal", start=start, commitment=commitment)
    contract = await operator.contracts.create(terms, tenant=tenant)
    more = AmendmentCreate(effective_at=start, more=Decimal(5), reason="More")
    amended = await operator.contracts.amend(contract.id, more, tenant=tenant)
    assert await person.contracts.list().all() == [amended]
    coupon = Coupon(id="tenth", name="A tenth", percent=Decimal(10))
    assert await operator.coupons.create(coupon) == coupon
    assert await operator.coupons.list().all() == [coupon]
    redeemed = await person.subscription.coupons.redeem("tenth")
    assert await person.subscription.coupons.list().all() == [redeemed]
    with pytest.raises(NotFound):
        await person.subscription.coupons.redeem("none")


async def test_plans_compared(client: Maker, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person.me.get()).tenant.id
    asked = SimulationRequest(past_periods=1, plans=["growth", "prepaid"])
    simulation = await person.simulations.run(asked)
    assert [plan.plan for plan in simulation.plans] == ["prepaid", "growth"]
    by_operator = await operator.simulations.run(asked, tenant=tenant)
    assert by_operator.plans[0].total == simulation.plans[0].total
    assert [version.version for version in await operator.plans.versions("growth").all()] == [1]
    assert (await operator.plans.diff("growth", before=1, after=1)).changes == []
    page = await operator.plans.migrate("growth", MigrationRequest())
    assert page.items == []
