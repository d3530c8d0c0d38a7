"""Documents of top-ups, and tax that falls once: as credit is sold, or as it is used."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import pypdfium2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details
from backend.errors import Conflict
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.electronic.building import invoice_document
from backend.invoices.issuing.issuing import Received
from backend.invoices.issuing.one_off import issue_one_off
from backend.invoices.paper.as_csv import invoice_csv
from backend.invoices.paper.as_pdf import invoice_pdf
from backend.invoices.payments.applying import account_balance, apply_by_hand, apply_to_all
from backend.invoices.payments.credit_sales import refund_credit, settle_top_up
from backend.invoices.queries import as_printed, find_invoice, list_invoices
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.prepayment import Prepayment
from backend.wallets.queries import find_grant, wallet_balance
from backend.wallets.top_ups import ask_for_top_up
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    ApplyToInvoice,
    BillingDetails,
    CreditNoteCreate,
    Invoice,
    OneOffInvoiceCreate,
    VoidInvoice,
)
from backend_client.types.wallets import TopUp, TopUpCreate, TopUpOutcome
from tests.support.billing import catalog_with
from tests.support.double_entry import reconcile
from tests.support.examples import examples
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

NOW = MARCH + timedelta(days=1)
BILLED = APRIL + GRACE
OVERDUE = BILLED + timedelta(days=40)
PRICE = {"name": "Input", "kind": "per_unit", "meters": ["input_tokens"], "price": "0.59"}
FEE = {"id": "fee", "name": "Fee", "kind": "flat", "price": "31"}
PLANS = [
    {"id": "free", "name": "Free"},
    {"id": "calls", "name": "Calls", "prepaid": True, "charges": [PRICE | {"id": "input"}]},
    {"id": "after", "name": "After use", "charges": [FEE, PRICE | {"id": "input"}]},
]
TAXES = [
    {"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19"},
    {"id": "fr-vat", "name": "VAT", "country": "FR", "percent": "20", "inclusive": True},
]
BOOKS = MARCH.date(), MARCH.date().replace(year=2027)


class Shop:
    """A seller who taxes credit at its sale or at its use, and one customer."""

    def __init__(self, database: Database, settings: Settings, tenant: Tenant) -> None:
        self.database, self.settings, self.tenant = database, settings, tenant
        self.calls = 0

    async def buy(self, amount: str, reference: str = "pay_1") -> TopUp:
        async with self.database.begin() as connection:
            wanted = TopUpCreate.model_validate({"amount": amount})
            top_up = await ask_for_top_up(connection, self.tenant.id, wanted, NOW)
        return await self.settle(top_up, reference)

    async def settle(self, top_up: TopUp, reference: str) -> TopUp:
        async with self.database.begin() as connection:
            outcome = TopUpOutcome(state="paid", reference=reference)
            return await settle_top_up(
                connection, self.settings, self.tenant, top_up.id, outcome, NOW
            )

    async def document(self, top_up: TopUp) -> Invoice:
        assert top_up.invoice_id is not None
        async with self.database.begin() as connection:
            of = self.tenant.id, top_up.invoice_id, OVERDUE
            return await find_invoice(connection, self.settings, *of)

    async def call(self, units: int) -> None:
        self.calls += 1
        prepayment, name = Prepayment(self.database), f"req_{self.calls}"
        most = {"input_tokens": Decimal(units)}
        await prepayment.reserve(self.tenant.id, name, "large", most, NOW)
        await prepayment.settle(self.tenant.id, name, "large", most, NOW, NOW)
        await count(self.database, [used(self.tenant, NOW, units)])

    async def invoices(self) -> list[Invoice]:
        """The invoices, without the next one's draft, the first first."""
        async with self.database.begin() as connection:
            of = self.settings, self.tenant.id, OVERDUE
            page = await list_invoices(connection, *of, cursor=None, limit=100)
            return [
                await find_invoice(connection, self.settings, self.tenant.id, invoice.id, OVERDUE)
                for invoice in reversed(page.items)
                if invoice.number is not None
            ]

    async def refund(self, top_up: TopUp, paid_out: Received | None = None) -> None:
        async with self.database.begin() as connection:
            of = self.settings, self.tenant, top_up.id, BILLED
            await refund_credit(connection, *of, paid_out=paid_out)

    async def holdings(self) -> tuple[str, str]:
        """The balance, and what is in the wallet; the books agree."""
        async with self.database.begin() as connection:
            account = await account_balance(connection, self.tenant, OVERDUE)
            wallet = await wallet_balance(connection, self.tenant, OVERDUE)
            assert await reconcile(connection, self.tenant, *BOOKS, OVERDUE) == {}
        return str(account.balance.amount), f"{wallet.spendable:.2f}"

    async def tax(self) -> Decimal:
        """All tax that documents carry, less what credit notes took off."""
        return sum(
            (
                sum((tax.amount.amount for tax in invoice.taxes), Decimal(0))
                - sum(
                    (tax.amount.amount for note in invoice.credit_notes for tax in note.taxes),
                    Decimal(0),
                )
                for invoice in await self.invoices()
            ),
            Decimal(0),
        )


async def shop_of(
    database: Database, plan: str, country: str = "DE", *, at_sale: bool = True
) -> Shop:
    when = "at_sale" if at_sale else "at_redemption"
    settings = Settings(seller_name="Sample seller", credit_taxed=when)
    tenant = await subscribed(database, plan, is_sample=False)
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(country=country))
    return Shop(database, settings, tenant)


@pytest.fixture(autouse=True)
async def rates(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS, taxes=TAXES))


async def test_credit_that_is_taxed_when_used_has_a_receipt_without_tax(
    database: Database,
) -> None:
    shop = await shop_of(database, "calls", at_sale=False)
    top_up = await shop.buy("10")
    receipt = await shop.document(top_up)
    slug = shop.tenant.slug
    assert (receipt.number, receipt.kind) == (f"FB-{slug}-R-000001", "top_up")
    assert (str(receipt.total.amount), receipt.taxes, receipt.state) == ("10.00", [], "paid")
    text = pypdfium2.PdfDocument(invoice_pdf(as_printed(receipt)))[0].get_textpage()
    assert "Receipt" in text.get_text_range()
    assert "Tax falls when the credit is used" in text.get_text_range()
    assert await shop.holdings() == ("0.00", "10.00")
    assert await shop.settle(top_up, "pay_1") == top_up  # once
    assert len(await shop.invoices()) == 1


@pytest.mark.parametrize("at_sale", [True, False])
async def test_the_wallet_says_before_a_purchase_whether_tax_is_taken_from_it(
    database: Database, at_sale: bool
) -> None:
    shop = await shop_of(database, "calls", at_sale=at_sale)
    async with database.begin() as connection:
        wallet = await wallet_balance(connection, shop.tenant, NOW, settings=shop.settings)
    assert wallet.top_ups_taxed is at_sale


async def test_credit_that_is_taxed_when_sold_has_an_invoice_and_calls_are_not_taxed_again(
    database: Database,
) -> None:
    shop = await shop_of(database, "calls")
    top_up = await shop.buy("10")
    invoice = as_printed(await shop.document(top_up))
    [tax] = invoice.taxes
    assert invoice.number == f"FB-{shop.tenant.slug}-000001"
    assert [str(amount.amount) for amount in (invoice.subtotal, tax.amount, invoice.total)] == [
        "8.40",
        "1.60",
        "10.00",
    ]
    assert str(invoice.due.amount) == "0.00"
    assert [row["kind"] for row in csv.DictReader(io.StringIO(invoice_csv(invoice)))] == [
        "credit",
        "subtotal",
        "tax",
        "total",
    ]
    standard = invoice_document(invoice)
    assert (standard.net, standard.gross) == (Decimal("8.40"), Decimal("10.00"))
    await shop.call(10_000_000)
    await run_invoices(database, shop.settings, BILLED)
    assert len(await shop.invoices()) == 1
    assert await shop.holdings() == ("0.00", "2.50")


async def test_tax_within_prices_falls_on_the_sale_once(database: Database) -> None:
    shop = await shop_of(database, "calls", "FR")
    top_up = await shop.buy("10")
    async with database.begin() as connection:
        grant = await find_grant(connection, shop.tenant.id, top_up.id)
    assert (grant.amount, grant.taxed_at_sale) == (10, True)
    assert await shop.tax() == Decimal("1.67")
    await shop.call(10_000_000)
    await run_invoices(database, shop.settings, BILLED)
    assert await shop.tax() == Decimal("1.67")
    await shop.refund(top_up)
    assert await shop.holdings() == ("4.10", "0.00")
    assert await shop.tax() == Decimal("0.99")  # of 5.90; the note's part is rounded


async def test_what_is_not_used_is_refunded_with_its_tax(database: Database) -> None:
    shop = await shop_of(database, "calls")
    top_up = await shop.buy("10")
    await shop.call(10_000_000)
    await shop.refund(top_up)
    await shop.refund(top_up)  # again does nothing
    [note] = (await shop.document(top_up)).credit_notes
    assert [str(part.amount) for part in (note.subtotal, note.tax, note.to_balance)] == [
        "2.50",
        "0.48",
        "2.98",
    ]
    assert await shop.holdings() == ("2.98", "0.00")
    assert await shop.tax() == Decimal("1.12")  # of 5.90


async def test_what_a_platform_paid_back_leaves_no_balance(database: Database) -> None:
    shop = await shop_of(database, "calls")
    top_up = await shop.buy("10")
    await shop.refund(top_up, Received("stripe", "re_1"))
    assert await shop.holdings() == ("0.00", "0.00")
    assert await shop.tax() == 0


async def test_an_invoice_of_usage_is_paid_from_taxed_credit_and_taxed_once(
    database: Database,
) -> None:
    shop = await shop_of(database, "after")
    top_up = await shop.buy("20")
    await run_invoices(database, shop.settings, BILLED)
    sale, invoice = await shop.invoices()
    assert str(invoice.total.amount) == "36.89"
    assert str(invoice.due.amount) == "16.89"
    assert await shop.holdings() == ("0.00", "0.00")
    assert str(sale.credited.amount) == "20.00"
    assert await shop.tax() == Decimal("5.89")
    assert (await shop.document(top_up)).credit_notes[0].reason.startswith("Credit used for")


async def test_an_overdue_invoice_is_paid_from_taxed_credit(database: Database) -> None:
    shop = await shop_of(database, "after")
    await run_invoices(database, shop.settings, BILLED)
    await shop.buy("100")
    assert await apply_to_all(database, shop.settings, BILLED) == []
    [applied] = await apply_to_all(database, shop.settings, OVERDUE)
    assert (applied.method, str(applied.amount)) == ("balance", "36.89")
    assert await shop.tax() == Decimal("5.89") + Decimal("10.08")  # of 53.02 that are left


async def test_taxed_credit_pays_an_open_invoice_by_hand(database: Database) -> None:
    shop = await shop_of(database, "after")
    await run_invoices(database, shop.settings, BILLED)
    await shop.buy("10")
    [invoice] = [document for document in await shop.invoices() if document.kind == "period"]
    async with database.begin() as connection:
        wanted = ApplyToInvoice(source="credit")
        of = shop.settings, shop.tenant, invoice.id
        await apply_by_hand(connection, *of, wanted, BILLED)
    due = {invoice.kind: str(invoice.due.amount) for invoice in await shop.invoices()}
    assert due == {"period": "26.89", "top_up": "0.00"}
    assert await shop.holdings() == ("0.00", "0.00")


async def test_the_document_of_credit_can_not_be_taken_back_without_it(
    database: Database,
) -> None:
    shop = await shop_of(database, "calls")
    top_up = await shop.buy("10")
    of = shop.settings, shop.tenant, str(top_up.invoice_id)
    async with database.begin() as connection:
        with pytest.raises(Conflict, match="Refund the credit"):
            await credit(connection, *of, CreditNoteCreate(reason="No"), NOW)
        with pytest.raises(Conflict, match="Refund the credit"):
            await void(connection, *of, VoidInvoice(reason="No"), NOW)


async def test_what_is_on_the_balance_does_not_pay_a_top_up_twice(database: Database) -> None:
    shop = await shop_of(database, "calls")
    first = await shop.buy("10")
    await shop.refund(first)
    await shop.buy("5", "pay_2")
    assert await shop.holdings() == ("10.00", "4.20")


class Act(NamedTuple):
    """Buy for so much, call so many units, refund the oldest, or be billed by hand."""

    what: str
    amount: int


ACTS = st.lists(
    st.builds(
        Act, st.sampled_from(("buy", "buy", "call", "call", "refund", "bill")), st.integers(1, 3000)
    ),
    min_size=3,
    max_size=9,
)


@hypothesis_settings(
    max_examples=examples(6),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=ACTS, plan=st.sampled_from(("calls", "after")), country=st.sampled_from(("DE", "FR")))
async def test_tax_falls_exactly_once_on_what_is_sold(
    database: Database, acts: Sequence[Act], plan: str, country: str
) -> None:
    """Once all that is left is refunded, tax is on what was used and billed, and on nothing else.

    Each document rounds its tax once.
    """
    shop = await shop_of(database, plan, country)
    bought: list[TopUp] = []
    paid = Decimal(0)
    for number, (what, amount) in enumerate(acts):
        if what == "buy":
            cents = Decimal(amount) / 100
            bought.append(await shop.buy(str(cents), f"pay_{number}"))
            paid += cents
        elif what == "call" and plan == "calls":
            async with database.begin() as connection:
                wallet = await wallet_balance(connection, shop.tenant, BILLED)
            affordable = wallet.spendable / Decimal("0.59") * 1_000_000
            await shop.call(min(int(affordable), amount * 1_000))
        elif what == "refund" and bought:
            await shop.refund(bought.pop(0))
        elif what == "bill":
            async with database.begin() as connection:
                lines = [{"name": "Set-up", "unit_price": str(Decimal(amount) / 100)}]
                wanted = OneOffInvoiceCreate.model_validate({"lines": lines})
                of = shop.settings, shop.tenant, f"inv_{shop.tenant.id}_{number}"
                await issue_one_off(connection, *of, wanted, NOW)
    await run_invoices(database, shop.settings, BILLED)
    await apply_to_all(database, shop.settings, OVERDUE)
    for top_up in bought:
        await shop.refund(top_up)
    await run_invoices(database, shop.settings, MAY + GRACE)
    invoices = await shop.invoices()
    documents = len(invoices) + sum(len(invoice.credit_notes) for invoice in invoices)
    of_sales = sum(
        invoice.total.amount - invoice.credited.amount
        for invoice in invoices
        if invoice.kind == "top_up"
    )
    others = sum(
        invoice.total.amount - invoice.credited.amount
        for invoice in invoices
        if invoice.kind != "top_up"
    )
    percent = Decimal(19) / 119 if country == "DE" else Decimal(20) / 120
    assert abs(await shop.tax() - (of_sales + others) * percent) <= Decimal("0.005") * documents
    balance, left = await shop.holdings()
    assert left in {"0.00", "0.01", "0.02", "0.03", "0.04"}  # parts of minor units of each
    used_up = Decimal(0)
    if plan == "calls":
        async with database.begin() as connection:
            used_up = (await wallet_balance(connection, shop.tenant, OVERDUE)).used
        gross = used_up * (Decimal("1.19") if country == "DE" else 1)
        assert abs(of_sales - gross) <= Decimal("0.02") * documents
    owed = sum((invoice.due.amount for invoice in invoices), Decimal(0))
    assert paid == of_sales + others - owed + Decimal(balance)
