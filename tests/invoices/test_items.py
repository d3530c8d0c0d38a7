"""Lines of the operator's own wait for the next invoice, which takes each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import Conflict, InvalidInput, NotFound
from backend.invoices.corrections.voiding import void
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.drafts.items import add_item, list_items, remove_item
from backend.invoices.drafts.previewing import draft_invoice
from backend.invoices.queries import find_invoice
from backend.invoices.rules.items import item_lines
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoice_items import InvoiceItem, InvoiceItemCreate
from backend_client.types.invoices import Invoice, VoidInvoice
from backend_client.types.spend import Period
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    run_invoices,
    used,
)

pytestmark = pytest.mark.engine

NOW = MARCH + timedelta(days=3)


async def added(database: Database, tenant: Tenant, **wanted: Any) -> InvoiceItem:
    async with database.begin() as connection:
        item = InvoiceItemCreate.model_validate({"name": "Set-up"} | wanted)
        return await add_item(connection, tenant, item, NOW)


async def items_of(database: Database, tenant: Tenant) -> list[tuple[str, str]]:
    """What is left of each line, the oldest first."""
    async with database.begin() as connection:
        page = await list_items(connection, tenant, cursor=None, limit=100)
    return [(item.state, str(item.left.amount)) for item in reversed(page.items)]


async def last_invoice(
    database: Database, tenant: Tenant, settings: Settings, at: datetime
) -> Invoice:
    await run_invoices(database, settings, at)
    *_, row = await invoices_of(database, tenant)
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, str(row["id"]), at)


def lines(invoice: Invoice) -> list[tuple[str, str]]:
    return [(line.name, str(line.amount.amount)) for line in invoice.lines if line.amount.amount]


async def test_the_next_invoice_takes_each_line_once(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await added(database, tenant, unit_price="12.345", quantity="2")
    await added(database, tenant, name="Support", amount="5")
    march = await last_invoice(database, tenant, settings, APRIL + GRACE)
    assert lines(march) == [("Fee", "31.00"), ("Set-up", "24.69"), ("Support", "5.00")]
    assert [line.quantity for line in march.lines[-2:]] == [2, None]
    assert await items_of(database, tenant) == [("invoiced", "0.00")] * 2
    april = await last_invoice(database, tenant, settings, MAY + GRACE)
    assert lines(april) == [("Fee", "31.00")]


async def test_the_draft_shows_what_waits(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await added(database, tenant, amount="5")
    async with database.begin() as connection:
        coming = await unbilled(connection, tenant.id)
        assert coming is not None
        draft, _ = await draft_invoice(connection, settings, coming, NOW)
    assert ("Set-up", "5.00") in lines(draft)


async def test_a_credit_takes_off_what_there_is_and_the_rest_waits(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await added(database, tenant, name="Sorry", amount="-40")
    march = await last_invoice(database, tenant, settings, APRIL + GRACE)
    assert (lines(march)[-1], str(march.total.amount)) == (("Sorry", "-31.00"), "0.00")
    assert await items_of(database, tenant) == [("pending", "-9.00")]
    april = await last_invoice(database, tenant, settings, MAY + GRACE)
    assert (lines(april)[-1], str(april.total.amount)) == (("Sorry", "-9.00"), "22.00")
    assert await items_of(database, tenant) == [("invoiced", "0.00")]


async def test_late_usage_takes_no_line_back(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await added(database, tenant, amount="5")
    await run_invoices(database, settings, APRIL + GRACE)
    await count(database, [used(tenant, NOW, 1_000_000)])
    april = await last_invoice(database, tenant, settings, MAY + GRACE)
    assert lines(april) == [("Fee", "31.00"), ("Input", "0.15")]


async def test_a_void_invoice_that_is_billed_again_gives_its_lines_to_the_next(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await added(database, tenant, amount="5")
    march = await last_invoice(database, tenant, settings, APRIL + GRACE)
    async with database.begin() as connection:
        wanted = VoidInvoice(reason="Wrong", bill_again=True)
        await void(connection, settings, tenant, march.id, wanted, APRIL + GRACE)
    assert await items_of(database, tenant) == [("pending", "5.00")]
    april = await last_invoice(database, tenant, settings, MAY + GRACE)
    assert lines(april) == [("Fee", "31.00"), ("Fee", "31.00"), ("Set-up", "5.00")]


async def test_a_void_invoice_that_is_issued_again_has_its_lines(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await added(database, tenant, amount="5", tax_code="txcd_1")
    march = await last_invoice(database, tenant, settings, APRIL + GRACE)
    async with database.begin() as connection:
        wanted = VoidInvoice(reason="Wrong", reissue=True, tax="again")
        await void(connection, settings, tenant, march.id, wanted, APRIL + GRACE)
    again = await last_invoice(database, tenant, settings, APRIL + GRACE)
    assert lines(again) == lines(march)
    assert await items_of(database, tenant) == [("invoiced", "0.00")]


async def test_a_line_can_be_removed_until_it_is_taken(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    first = await added(database, tenant, amount="5")
    second = await added(database, tenant, amount="7", start=MARCH, end=APRIL)
    async with database.begin() as connection:
        await remove_item(connection, tenant, first.id)
    march = await last_invoice(database, tenant, settings, APRIL + GRACE)
    assert lines(march) == [("Fee", "31.00"), ("Set-up", "7.00")]
    async with database.begin() as connection:
        with pytest.raises(Conflict):
            await remove_item(connection, tenant, second.id)
        with pytest.raises(NotFound):
            await remove_item(connection, tenant, first.id)


async def test_a_line_that_comes_to_nothing_is_refused(database: Database, tenant: Tenant) -> None:
    with pytest.raises(InvalidInput):
        await added(database, tenant, unit_price="0.001")


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"amount": "1", "unit_price": "1"},
        {"amount": "1", "quantity": "2"},
        {"amount": "1", "start": MARCH},
        {"amount": "1", "start": APRIL, "end": MARCH},
    ],
)
def test_a_line_says_what_it_comes_to_and_for_which_time(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Value error"):
        InvoiceItemCreate.model_validate({"name": "Set-up"} | wanted)


CENTS = st.decimals("-50", "50", places=2).filter(bool)


@given(st.lists(st.tuples(CENTS, st.decimals("0", "40", places=2)), max_size=8), CENTS)
def test_credits_never_bring_an_invoice_below_zero_and_none_is_lost(
    months: list[tuple[Decimal, Decimal]], first: Decimal
) -> None:
    period = Period(start=MARCH, end=APRIL, time_zone="UTC")
    pending: list[dict[str, Any]] = []
    asked, added_up = Decimal(0), Decimal(0)
    for number, (amount, subtotal) in enumerate([(first, Decimal(0)), *months]):
        row = {"id": f"itm_{number}", "name": "", "amount": amount, "left": amount}
        pending.append(
            row
            | {"exact": amount, "quantity": None, "period_start": None, "period_end": None}
            | {"tax_code": None}
        )
        added_up += amount + subtotal
        taken = item_lines(pending, subtotal, period)
        by_id = {line.of.item: line.amount for line in taken}
        for waiting in pending:
            waiting["left"] -= by_id.get(waiting["id"], Decimal(0))
        total = subtotal + sum((line.amount for line in taken), Decimal(0))
        assert total >= 0
        asked += total
        pending = [waiting for waiting in pending if waiting["left"]]
        assert all(waiting["left"] < 0 for waiting in pending)
    assert asked + sum((waiting["left"] for waiting in pending), Decimal(0)) == added_up
