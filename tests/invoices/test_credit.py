"""Prepaid credit on invoices: calls that were paid when made, and bills that credit pays."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from backend.catalog.published import apply_catalog
from backend.invoices.queries import as_printed, find_invoice
from backend.metering.counting.corrections import CorrectionWanted
from backend.metering.events import GATEWAY_SOURCE
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan
from backend.wallets.corrections import correct_events
from backend.wallets.grants import add_grant
from backend.wallets.prepayment import Prepayment
from backend.wallets.queries import wallet_balance
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import Invoice
from backend_client.types.subscriptions import SubscriptionChange
from backend_client.types.wallets import CreditGrantCreate
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    lines_of_invoice,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

PREPAID = {
    "id": "prepaid",
    "name": "Prepaid",
    "prepaid": True,
    "charges": [
        {
            "id": "input",
            "name": "Input",
            "kind": "per_unit",
            "meters": ["input_tokens"],
            "price": "0.15",
        },
    ],
}


async def give(database: Database, tenant: Tenant, amount: str) -> None:
    async with database.begin() as connection:
        wanted = CreditGrantCreate.model_validate(
            {"name": "Credit", "kind": "paid", "amount": amount}
        )
        await add_grant(connection, tenant.id, wanted, MARCH)


async def the_invoice(database: Database, tenant: Tenant, settings: Settings) -> Invoice:
    *_, row = await invoices_of(database, tenant)
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, str(row["id"]), APRIL + GRACE)


async def test_what_calls_paid_is_not_asked_again(database: Database, settings: Settings) -> None:
    document = catalog_with().model_dump(mode="json")
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[*document["plans"], PREPAID]))
    tenant = await subscribed(database, "prepaid")
    await give(database, tenant, "2")
    prepayment = Prepayment(database)
    at = MARCH + timedelta(days=1)
    quantities = {"input_tokens": Decimal(10_000_001)}
    for call in ("one", "two"):  # the second takes what is left, and 1.00 is still to pay
        most = {"input_tokens": Decimal(3_000_000)}
        assert await prepayment.reserve(tenant.id, call, "large", most, at)
        await prepayment.settle(tenant.id, call, "large", quantities, at, at)
        await count(database, [used(tenant, at, quantities["input_tokens"])])
    await run_invoices(database, settings, APRIL + GRACE)
    invoice = await the_invoice(database, tenant, settings)
    assert [(line.kind, str(line.amount.amount)) for line in invoice.lines] == [
        ("charge", "3.00"),
        ("redeemed", "-2.00"),
    ]
    assert str(invoice.total.amount) == "1.00"
    # Usage that came late, without a call: asked for in full
    await count(database, [used(tenant, at, 1_000_000)])
    await run_invoices(database, settings, MAY + GRACE)
    *_, row = await invoices_of(database, tenant)
    late = [line for line in await lines_of_invoice(database, tenant, row["id"]) if line["late"]]
    assert [(line["item"], str(line["amount"])) for line in late] == [("input", "0.15")]


async def test_lines_of_other_plans_are_asked_for_whole(
    database: Database, settings: Settings
) -> None:
    """Two lines of half a cent are two cents on any plan, also beside a prepaid one."""
    charges = [
        {
            "id": name,
            "name": name,
            "kind": "per_unit",
            "meters": [f"{name}_tokens"],
            "price": "0.15",
        }
        for name in ("input", "output")
    ]
    metered = {"id": "metered", "name": "Metered", "charges": charges}
    async with database.begin() as connection:
        await apply_catalog(
            connection, catalog_with(plans=[metered, PREPAID], default_plan="metered")
        )
    tenant = await subscribed(database, "metered")
    quantities = {"input_tokens": Decimal(100_000), "output_tokens": Decimal(100_000)}
    await count(database, [used(tenant, MARCH, units, name) for name, units in quantities.items()])
    async with database.begin() as connection:
        change = SubscriptionChange(plan="prepaid", at=MARCH + timedelta(days=9))
        await change_plan(connection, tenant.id, change, MARCH)
    await run_invoices(database, settings, APRIL + GRACE)
    invoice = await the_invoice(database, tenant, settings)
    assert [(line.kind, str(line.amount.amount)) for line in invoice.lines] == [
        ("charge", "0.02"),
        ("charge", "0.02"),
    ]
    assert str(invoice.total.amount) == "0.04"


async def test_a_corrected_call_leaves_its_invoices_in_balance_and_the_credit_in_the_wallet(
    database: Database, settings: Settings
) -> None:
    document = catalog_with().model_dump(mode="json")
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[*document["plans"], PREPAID]))
    tenant = await subscribed(database, "prepaid")
    await give(database, tenant, "2")
    at, prepayment = MARCH + timedelta(days=1), Prepayment(database)
    units = {"input_tokens": Decimal(10_000_000)}
    for name in ("req_1", "req_2"):  # 1.50 each: half a dollar is not covered
        most = {"input_tokens": Decimal(3_000_000)}
        await prepayment.reserve(tenant.id, name, "large", most, at)
        await prepayment.settle(tenant.id, name, "large", units, at, at)
        event = used(tenant, at, units["input_tokens"])
        await count(database, [msgspec.structs.replace(event, source=GATEWAY_SOURCE, id=name)])
    await run_invoices(database, settings, APRIL + GRACE)
    assert str((await the_invoice(database, tenant, settings)).total.amount) == "1.00"
    mistake = CorrectionWanted(
        id="fix", event_source=GATEWAY_SOURCE, event_id="req_1", data=None, reason="", actor=""
    )
    async with database.begin() as connection:
        await correct_events(connection, tenant.id, [mistake], APRIL + GRACE)
        wallet = await wallet_balance(connection, tenant, APRIL + GRACE)
    assert str(wallet.available.normalize()) == "1.5"
    await run_invoices(database, settings, MAY + GRACE)
    # A call less and its credit back cancel out: no second invoice, and the first as it was
    assert len(await invoices_of(database, tenant)) == 1
    invoice = await the_invoice(database, tenant, settings)
    assert [(line.kind, str(line.amount.amount)) for line in invoice.lines] == [
        ("charge", "3.00"),
        ("redeemed", "-2.00"),
    ]


async def test_credit_pays_invoices_in_whole_cents_until_it_is_used_up(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, "40.129")
    await run_invoices(database, settings, APRIL + GRACE)
    first = await the_invoice(database, tenant, settings)
    assert (first.state, [payment.method for payment in first.payments]) == ("paid", ["credit"])
    await run_invoices(database, settings, MAY + GRACE)
    second = await the_invoice(database, tenant, settings)
    assert (second.state, str(second.paid.amount), str(second.due.amount)) == (
        "finalized",
        "9.12",
        "21.88",
    )
    printed = as_printed(second)
    assert (printed.payments, printed.due) == (second.payments, second.due)
    async with database.begin() as connection:
        balance = await wallet_balance(connection, tenant, MAY + GRACE)
    assert str(balance.available) == "0.009"
