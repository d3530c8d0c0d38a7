"""Prepaid credit on invoices: calls that were paid when made, and bills that credit pays."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from backend.billing.catalog import apply_catalog
from backend.billing.invoices.reading import as_printed, find_invoice
from backend.billing.prepayment import Prepayment
from backend.billing.wallets.grants import add_grant
from backend.billing.wallets.reading import wallet_balance
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import Invoice
from backend_client.types.wallets import CreditGrantCreate
from tests.billing.conftest import catalog_with
from tests.invoices.conftest import (
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
        await prepayment.settle(tenant.id, call, "large", quantities, at)
        await count(database, [used(tenant, at, quantities["input_tokens"])])
    await run_invoices(database, settings, APRIL + GRACE)
    invoice = await the_invoice(database, tenant, settings)
    assert [(line.kind, str(line.amount.amount)) for line in invoice.lines] == [
        ("charge", "3.00"),
        ("prepaid", "-2.00"),
    ]
    assert str(invoice.total.amount) == "1.00"
    # Usage that came late, without a call: asked for in full
    await count(database, [used(tenant, at, 1_000_000)])
    await run_invoices(database, settings, MAY + GRACE)
    *_, row = await invoices_of(database, tenant)
    late = [line for line in await lines_of_invoice(database, tenant, row["id"]) if line["late"]]
    assert [(line["item"], str(line["amount"])) for line in late] == [("input", "0.15")]


async def test_credit_pays_invoices_in_whole_cents_until_it_is_used_up(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, "40.129")
    await run_invoices(database, settings, APRIL + GRACE)
    first = await the_invoice(database, tenant, settings)
    assert (first.state, [one.method for one in first.payments]) == ("paid", ["credit"])
    await run_invoices(database, settings, MAY + GRACE)
    second = await the_invoice(database, tenant, settings)
    assert (second.state, str(second.paid.amount), str(second.due.amount)) == (
        "finalised",
        "9.12",
        "21.88",
    )
    printed = as_printed(second)
    assert (printed.payments, printed.due) == (second.payments, second.due)
    async with database.begin() as connection:
        balance = await wallet_balance(connection, tenant, MAY + GRACE)
    assert str(balance.available) == "0.009"
