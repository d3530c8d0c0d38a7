"""The books of three customers over real invoices and wallets, by the API, and who may see them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.catalog.published import apply_catalog
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.settling import record_payment, write_off
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import audit_entries
from backend.wallets.grants import add_grant, refund_grant
from backend.wallets.prepayment import Prepayment
from backend_client import AsyncFareboxClient, Conflict, Forbidden, InvalidInput
from backend_client.types.accounting import (
    BookEntry,
    BookTerms,
    BookTermsPut,
    ChartOfAccounts,
    RevenueKind,
)
from backend_client.types.accounts import Role, Tenant
from backend_client.types.invoices import CreditNoteCreate, PaymentRecord, VoidInvoice
from backend_client.types.journals import JournalFormat
from backend_client.types.wallets import CreditGrantCreate
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

INPUT = {
    "id": "input",
    "name": "Input",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "price": "0.15",
}
YEAR = {"id": "fee", "name": "Fee", "kind": "flat", "cadence": "year", "price": "365"}
PLANS = [
    {"id": "free", "name": "Free"},
    {"id": "yearly", "name": "Yearly", "charges": [YEAR, INPUT]},
    {"id": "prepaid", "name": "Prepaid", "prepaid": True, "charges": [INPUT]},
]
M = 1_000_000
DAY = timedelta(days=1)


@pytest.fixture
async def books(url: str, database: Database, api_settings: Settings) -> dict[str, Tenant]:
    """A year in advance with usage, prepaid calls, and an invoice that nobody pays."""
    settings = api_settings
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS))
    tenants = {
        name: await subscribed(database, plan, slug=f"books-{name}", is_sample=False)
        for name, plan in (("yearly", "yearly"), ("prepaid", "prepaid"), ("lost", "yearly"))
    }
    prepaid = tenants["prepaid"]
    async with database.begin() as connection:
        for name, kind, amount in (("Bought", "paid", "10"), ("Given", "promotional", "0.5")):
            wanted = CreditGrantCreate.model_validate(
                {"name": name, "kind": kind, "amount": amount, "priority": 1}
            )
            grant = await add_grant(connection, prepaid.id, wanted, MARCH)
            if kind == "paid":
                bought = grant.id
    prepayment = Prepayment(database)
    quantities = {"input_tokens": Decimal(10_000_001)}
    at = MARCH + DAY
    await prepayment.reserve(prepaid.id, "call", "large", quantities, at)
    await prepayment.settle(prepaid.id, "call", "large", quantities, at, at)
    await count(
        database,
        [
            used(tenants["yearly"], MARCH + DAY, 10 * M),
            used(prepaid, at, quantities["input_tokens"]),
        ],
    )
    await run_invoices(database, settings, APRIL + GRACE)
    issued = APRIL + GRACE
    async with database.begin() as connection:
        yearly, lost = tenants["yearly"], tenants["lost"]
        [invoice] = await invoices_of(database, yearly)
        paid = PaymentRecord(
            amount=Decimal(100), method="transfer", reference="1", received_at=issued
        )
        await record_payment(connection, yearly.id, str(invoice["id"]), paid, issued)
        wanted = CreditNoteCreate.model_validate(
            {"reason": "Goodwill", "lines": [{"line": 2, "amount": "0.50"}]}
        )
        await credit(connection, settings, yearly, str(invoice["id"]), wanted, issued + DAY)
        [invoice] = await invoices_of(database, lost)
        again = VoidInvoice(reason="Wrong address", reissue=True)
        new = await void(connection, settings, lost, str(invoice["id"]), again, issued + DAY)
        await write_off(connection, lost.id, new, MAY + DAY)
        await refund_grant(connection, prepaid.id, bought, MAY + DAY)
    return tenants


def secret_of(headers: dict[str, str]) -> str:
    return headers["authorization"].removeprefix("Bearer ")


def sums(entries: list[BookEntry]) -> dict[str, Decimal]:
    by_account: defaultdict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        for line in entry.lines:
            by_account[line.account] += line.amount.amount
    return {account: amount for account, amount in by_account.items() if amount}


async def test_journal_and_revenue_of_three_customers(
    url: str, database: Database, operator: dict[str, str], books: dict[str, Tenant]
) -> None:
    async with AsyncFareboxClient(url, secret_of(operator)) as seller:
        accounting = seller.accounting
        entries = await accounting.journal("2026-03-01", "2027-03-01", limit=2).all()
        again = await accounting.journal("2026-03-01", "2027-03-01").all()
        assert sorted(entry.reference for entry in entries) == sorted(
            entry.reference for entry in again
        )
        for entry in entries:
            assert sum(line.amount.amount for line in entry.lines) == 0
        assert sums(entries) == {
            "Accounts receivable": Decimal("266.00"),  # 366.50 - 100 - 0.50
            "Bad debt": Decimal("365.00"),
            "Cash": Decimal("101.00"),  # 100 paid, 10 for credit less 9 given back
            "Revenue": Decimal("-732.00"),  # 366.50 - 0.50, 365, and 1 of credit that was bought
        }
        # By account and month: April's entries alone, for one customer
        lost = books["lost"]
        april = await accounting.journal("2026-04-01", tenant=lost.slug).all()
        assert [entry.kind.value for entry in april] == [
            *("invoice", "void", "invoice", "recognition", "recognition", "recognition"),
        ]
        schedule = await accounting.revenue("2026-03-01", "2027-02-01")
        rows = {(row.month.month, row.kind): row for row in schedule.rows}
        march = rows[3, RevenueKind.UNBILLED]
        assert str(march.recognized.amount) == "63.50"  # 31 days of two fees, and the usage
        assert rows[4, RevenueKind.UNBILLED].closing.amount == 0
        assert str(rows[4, RevenueKind.DEFERRED].closing.amount) == "608.00"  # 304 days of two
        assert rows[2, RevenueKind.DEFERRED].closing.amount == 0
        prepaid = [row for row in schedule.rows if row.kind is RevenueKind.PREPAID]
        assert [str(row.closing.amount) for row in prepaid[:3]] == ["9.00", "9.00", "0.00"]
        assert (str(prepaid[0].recognized.amount), str(prepaid[2].released.amount)) == (
            "1.00",
            "9.00",
        )
        assert [row.provisional for row in prepaid[:3]] == [False, True, True]
        table = list(
            csv.DictReader(io.StringIO(await accounting.revenue_csv("2026-03-01", "2026-05-01")))
        )
        by_kind: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in table:
            by_kind[row["month"], row["kind"]] += Decimal(row["closing"])
        for row in schedule.rows[:2]:
            assert by_kind[row.month.isoformat(), row.kind.value] == row.closing.amount


async def test_terms_files_and_who_may(
    url: str, database: Database, operator: dict[str, str], books: dict[str, Tenant]
) -> None:
    async with AsyncFareboxClient(url, secret_of(operator)) as seller:
        accounting = seller.accounting
        assert (await accounting.terms()).revision == 0
        numbers = {
            name: str(1000 + place)
            for place, name in enumerate(ChartOfAccounts.model_fields)
            if not name.endswith(("_by_method", "_by_plan", "_by_name"))
        }
        terms = BookTerms.model_validate(
            {
                "time_zone": "Europe/Berlin",
                "accounts": numbers,
                "datev": {"consultant": 29098, "client": 55003},
            }
        )
        kept = await accounting.set_terms(BookTermsPut(terms=terms, revision=0))
        assert (kept.revision, kept.terms) == (1, terms)
        assert await accounting.set_terms(BookTermsPut(terms=terms, revision=0)) == kept
        with pytest.raises(Conflict):
            await accounting.set_terms(BookTermsPut(terms=BookTerms(), revision=0))
        async with database.begin() as connection:
            query = select(audit_entries.c.action)
            assert "accounting.terms" in set(await connection.scalars(query))
        for form in JournalFormat:
            content = await accounting.journal_file("2026-04-01", format=form)
            assert b"1000" in content
        datev = (await accounting.journal_file("2026-04-01", format=JournalFormat.DATEV)).decode(
            "cp1252"
        )
        assert datev.startswith('"EXTF";700;21;"Buchungsstapel"')
        with pytest.raises(InvalidInput, match="fiscal year"):
            await accounting.journal_file("2026-12-01", "2027-01-01", format=JournalFormat.DATEV)
        wrong = terms.model_copy(update={"accounts": ChartOfAccounts()})
        await accounting.set_terms(BookTermsPut(terms=wrong, revision=1))
        with pytest.raises(InvalidInput) as refused:
            await accounting.journal_file("2026-04-01", format=JournalFormat.DATEV)
        assert refused.value.errors[0].field.startswith("accounts.")
        for first, last in (
            ("2026-04-02", None),
            ("2026-04-01", "2026-03-01"),
            ("2026-01-01", "2036-01-01"),
            ("0001-01-01", None),
            ("9999-12-01", None),
        ):
            with pytest.raises(InvalidInput):
                await accounting.revenue(first, last)
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="test", subject="owner", name="Owner", email="owner@mail.example"
        )
        tenant = books["lost"]
        await add_member(connection, tenant.id, user, Role.OWNER)
        session = await begin_session(connection, user, tenant.id, seconds=600)
    async with AsyncFareboxClient(url, session.token) as customer:
        with pytest.raises(Forbidden):
            await customer.accounting.terms()
        with pytest.raises(Forbidden):
            await customer.accounting.journal("2026-04-01").all()
