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
from tests.client.conftest import Caller

pytestmark = pytest.mark.engine


async def test_wallet(client: Caller, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person("me")).tenant.id
    wanted = CreditGrantCreate(name="Bought", kind=CreditKind.PAID, amount=Decimal("2.5"))
    grant = await operator("give_credit", tenant, wanted)
    assert (await person("wallet")).spendable == Decimal("2.5")
    past = await person("wallet", datetime.now(UTC) - timedelta(days=1))
    assert past.spendable == 0
    assert [one.id for one in await person("grants")] == [grant.id]
    refunded = await operator("refund_credit", tenant, grant.id)
    assert refunded.refunded == Decimal("2.5")
    assert [one.target for one in await person("ledger")] == ["refunded", "available"]
    asked = await person("ask_for_top_up", TopUpCreate(amount=Decimal(10)))
    done = await operator(
        "finish_top_up", tenant, asked.id, TopUpOutcome(state="paid", reference="p 1")
    )
    assert await person("top_ups") == [done]
    (waits, _) = [await person("ask_for_top_up", TopUpCreate(amount=Decimal(n))) for n in (7, 8)]
    waiting = await operator("waiting_top_ups")
    assert [one.amount for one in waiting] == [7, 8]
    assert (waiting[0].tenant_id, waiting[0].id) == (tenant, waits.id)
    assert (waiting[0].tenant_name, waiting[0].currency) == ("Local", "USD")
    first = await person("top_up_page", limit=2)
    rest = await person("top_up_page", limit=2, cursor=first.next_cursor)
    assert [one.amount for one in [*first.items, *rest.items]] == [8, 7, 10]
    newest = await person("ledger_page", limit=1)
    before = await person("ledger_page", limit=1, cursor=newest.next_cursor)
    assert [one.number for one in [*newest.items, *before.items]] == [3, 2]
    assert await operator("ledger_page", limit=1, tenant=tenant) == newest
    assert await operator("top_up_page", limit=2, tenant=tenant) == first
    assert await operator("grants", tenant) == await person("grants")
    seen = await operator("wallet", tenant=tenant)
    assert seen.spendable == (await person("wallet")).spendable == 10
    assert (await operator("wallet", datetime.now(UTC) - timedelta(days=1), tenant)).spendable == 0
    kept = await person("set_wallet", WalletSettings(low_balance=Decimal(3)))
    assert (kept.spendable, kept.settings.low_balance) == (10, 3)


async def test_subscription_terms(client: Caller, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person("me")).tenant.id
    assert (await person("pause_subscription", SubscriptionPause())).state == "paused"
    assert (await person("resume_subscription")).state == "active"
    with pytest.raises(Conflict):
        await person("resume_subscription")
    ended = await person("cancel_subscription", SubscriptionCancel())
    assert ended.end is not None
    moved = await operator("set_subscription", tenant, SubscriptionChange(plan="enterprise"))
    assert moved.plan.definition.by_contract
    first = await operator("set_billing_anchor", tenant, BillingAnchor(day=31))
    assert first.start == ended.end


async def test_agreements(client: Caller, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person("me")).tenant.id
    start = (await person("spend")).period.start
    commitment = CommitmentTerms(ramps=[Ramp(amount=Decimal(10), periods=3)])
    terms = ContractCreate(name="Deal", start=start, commitment=commitment)
    made = await operator("agree_contract", tenant, terms)
    more = AmendmentCreate(effective_at=start, more=Decimal(5), reason="More")
    amended = await operator("amend_contract", tenant, made.id, more)
    assert await person("contracts") == [amended]
    coupon = Coupon(id="tenth", name="A tenth", percent=Decimal(10))
    assert await operator("make_coupon", coupon) == coupon
    assert await operator("coupons") == [coupon]
    redeemed = await person("redeem_coupon", "tenth")
    assert await person("redeemed_coupons") == [redeemed]
    with pytest.raises(NotFound):
        await person("redeem_coupon", "none")


async def test_plans_compared(client: Caller, url: str, operator_key: str, token: str) -> None:
    person, operator = client(url, token), client(url, operator_key)
    tenant = (await person("me")).tenant.id
    asked = SimulationRequest(past_periods=1, plans=["growth", "prepaid"])
    found = await person("simulate", asked)
    assert [one.plan for one in found.plans] == ["prepaid", "growth"]
    assert (await operator("simulate", asked, tenant)).plans[0].total == found.plans[0].total
    assert [one.version for one in await operator("plan_versions", "growth")] == [1]
    assert (await operator("plan_diff", "growth", 1, 1)).changes == []
    page = await operator("migrate_plan", "growth", MigrationRequest())
    assert page.items == []
