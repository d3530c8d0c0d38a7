"""What a customer has meets what it owes, whichever came first."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import delete_tenant
from backend.customers.profiles import set_terms
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.payments.applying import account_balance, apply_to_all, apply_to_open, may_pay
from backend.invoices.payments.receiving import receive_payment, receive_refund
from backend.invoices.runs.finalizing import bill_progress
from backend.invoices.settling import record_payment
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import platform_connections
from backend.subscriptions.changes import cancel
from backend.wallets.grants import add_grant
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingTerms,
    CreditNoteCreate,
    CreditWanted,
    PaymentRecord,
)
from backend_client.types.subscriptions import SubscriptionCancel
from backend_client.types.wallets import CreditGrantCreate, CreditKind
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    invoices_of,
    run_invoices,
    subscribed,
)

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
BILLED = APRIL + GRACE
DUE = BILLED + 30 * DAY
OVERDUE = DUE + DAY


@pytest.fixture
async def invoice(database: Database, tenant: Tenant, settings: Settings) -> str:
    """March's, of 31.00, open until thirty days later."""
    await run_invoices(database, settings, BILLED)
    (row,) = await invoices_of(database, tenant)
    return str(row["id"])


async def give(database: Database, tenant: Tenant, kind: CreditKind, amount: str) -> None:
    async with database.begin() as connection:
        grant = CreditGrantCreate(name="Sample credit", kind=kind, amount=Decimal(amount))
        await add_grant(connection, tenant.id, grant, BILLED)


async def standing(database: Database, tenant: Tenant, at: datetime) -> list[str]:
    async with database.begin() as connection:
        account = await account_balance(connection, tenant, at)
    return [str(money.amount) for money in (account.balance, account.owed, account.overdue)]


async def applied(database: Database, at: datetime) -> list[tuple[str, str]]:
    """What two workers at once apply: each part is applied by one of them."""
    both = await asyncio.gather(
        apply_to_all(database, Settings(), at), apply_to_all(database, Settings(), at)
    )
    return sorted((part.method, str(part.amount)) for parts in both for part in parts)


async def test_bought_credit_pays_what_is_overdue_and_nothing_before(
    database: Database, tenant: Tenant, invoice: str
) -> None:
    await give(database, tenant, CreditKind.PAID, "50")
    assert await applied(database, DUE - DAY) == []
    assert await standing(database, tenant, DUE - DAY) == ["0.00", "31.00", "0.00"]
    assert await standing(database, tenant, OVERDUE) == ["0.00", "31.00", "31.00"]
    assert await applied(database, OVERDUE) == [("credit", "31.00")]
    assert await standing(database, tenant, OVERDUE) == ["0.00", "0.00", "0.00"]
    (row,) = await invoices_of(database, tenant)
    assert (row["state"], row["paid"]) == ("paid", 31)


async def test_less_than_a_minor_unit_is_not_looked_at_again_and_again(
    database: Database, tenant: Tenant, invoice: str
) -> None:
    await give(database, tenant, CreditKind.PAID, "0.004")
    async with database.begin() as connection:
        assert await may_pay(connection, OVERDUE) == []
    await give(database, tenant, CreditKind.PAID, "0.006")
    async with database.begin() as connection:
        assert await may_pay(connection, OVERDUE) == [tenant.id]
    assert await applied(database, OVERDUE) == [("credit", "0.01")]


async def test_given_credit_pays_no_debt(database: Database, tenant: Tenant, invoice: str) -> None:
    await give(database, tenant, CreditKind.PROMOTIONAL, "50")
    assert await applied(database, OVERDUE) == []


async def test_credit_that_a_platform_draws_on_pays_nothing_here_meanwhile(
    database: Database, tenant: Tenant, invoice: str
) -> None:
    await give(database, tenant, CreditKind.PAID, "50")
    connected = {"tenant_id": tenant.id, "platform": "amberflo", "mode": "usage"}
    times = {"starts_at": MAY, "ends_at": OVERDUE + DAY}
    async with database.begin() as connection:
        await connection.execute(insert(platform_connections).values(connected | times))
    assert await applied(database, OVERDUE) == []
    assert await applied(database, OVERDUE + DAY) == [("credit", "31.00")]


async def test_too_little_pays_a_part_and_the_next_goes_on(
    database: Database, tenant: Tenant, invoice: str
) -> None:
    await give(database, tenant, CreditKind.PAID, "20.005")
    assert await applied(database, OVERDUE) == [("credit", "20.00")]
    await give(database, tenant, CreditKind.PAID, "20")
    assert await applied(database, OVERDUE + DAY) == [("credit", "11.00")]
    assert await standing(database, tenant, OVERDUE + DAY) == ["0.00", "0.00", "0.00"]


async def test_a_balance_pays_what_falls_due_first(
    database: Database, tenant: Tenant, settings: Settings, invoice: str
) -> None:
    """A credit note of a paid invoice is a balance, while a later invoice is open."""
    await run_invoices(database, settings, MAY + GRACE)
    async with database.begin() as connection:
        paid = PaymentRecord(amount=Decimal(31), method="transfer", reference="sample 1")
        await record_payment(connection, tenant.id, invoice, paid, OVERDUE)
        note = CreditNoteCreate(
            reason="Outage", lines=[CreditWanted(line=1, amount=Decimal("9.95"))]
        )
        await credit(connection, settings, tenant, invoice, note, OVERDUE)
    assert await standing(database, tenant, OVERDUE) == ["9.95", "31.00", "0.00"]
    assert await applied(database, OVERDUE) == [("balance", "9.95")]
    assert await standing(database, tenant, OVERDUE) == ["0.00", "21.05", "0.00"]
    assert await applied(database, OVERDUE) == []


async def test_a_part_that_the_closing_invoice_gives_back_pays_the_open_part(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    """An invoice below zero meets the progressive one of its own period."""
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(progressive_threshold=Decimal(15)))
        await bill_progress(connection, settings, tenant.id, MARCH + DAY)
        await cancel(connection, tenant.id, SubscriptionCancel(when="now"), MARCH + 10 * DAY)
    await run_invoices(database, settings, BILLED)
    part, closing = await invoices_of(database, tenant)
    assert (part["total"], part["paid"]) == (31, 0)
    assert closing["total"] < 0
    assert await applied(database, BILLED) == [("balance", str(-closing["total"]))]
    owed = part["total"] + closing["total"]
    # The part was due thirty days after the second of March
    assert await standing(database, tenant, BILLED) == ["0.00", str(owed), str(owed)]


async def refund_without_waiting(
    database: Database, settings: Settings, tenant: Tenant, invoice_id: str
) -> None:
    async with database.begin() as connection:
        await connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
        nine, now = Decimal(9), OVERDUE
        await receive_refund(
            connection, settings, tenant, invoice_id, nine, "transfer", "sample 2", now
        )


async def test_a_removed_tenant_and_a_refund_at_the_same_time(
    database: Database, settings: Settings
) -> None:
    """Neither keeps another's debt from being paid, and no balance is drawn on twice."""
    removed, kept = await subscribed(database), await subscribed(database)
    await run_invoices(database, settings, MAY + GRACE)
    first = {
        tenant.id: (await invoices_of(database, tenant))[0]["id"] for tenant in (removed, kept)
    }
    async with database.begin() as connection:
        for tenant in (removed, kept):  # 9.00 more than the invoice of March asked for
            await receive_payment(
                connection,
                tenant.id,
                str(first[tenant.id]),
                Decimal(40),
                "transfer",
                "sample 1",
                BILLED,
                BILLED,
            )
        await delete_tenant(connection, COMMAND_LINE, removed.id)
    async with database.begin() as applying:
        await apply_to_open(applying, settings, kept, OVERDUE)
        with pytest.raises(DBAPIError, match="lock timeout"):
            await refund_without_waiting(database, settings, kept, str(first[kept.id]))
        await applying.rollback()
    assert await applied(database, OVERDUE) == [("balance", "9.00")]
