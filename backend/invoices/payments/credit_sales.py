"""Credit that is bought: its document, and taking back what of it is not used.

By the setting ``credit_taxed`` tax falls when credit is used, and the document is a receipt; or
when it is sold, and the document is an invoice with its tax. Credit that was taxed pays calls
before tax. An invoice that is taxed it can't pay as it is, or tax would fall twice: so much of it
as the invoice asks for is credited with its tax first, and the balance pays.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.customers.profiles import profile_of
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.issuing.issuing import (
    BALANCE,
    Received,
    ToIssue,
    balances_of,
    issue,
    payment_row,
)
from backend.invoices.rules.lifecycle import Balance, due
from backend.invoices.rules.lines import ComposedLine, Item
from backend.invoices.settling import lock_invoice, settle
from backend.invoices.taxing.answers import TaxAnswers
from backend.invoices.taxing.deciding import InvoiceTax, tax_line, tax_rules, wire_tax
from backend.invoices.taxing.untaxed import Untaxed, day_at
from backend.pricing.money import (
    ZERO,
    exact_arithmetic,
    minor_digits,
    round_fraction,
    round_to_minor_unit,
    whole_minor_units,
)
from backend.pricing.tax.sold_credit import tax_within_payment
from backend.settings import Settings
from backend.spend.report import period_of
from backend.storage.tables import credit_grants, invoices, payments, top_ups
from backend.subscriptions.periods import period_at
from backend.wallets.grants import refund_grant
from backend.wallets.queries import find_grant
from backend.wallets.top_ups import Sold, find_top_up, finish_top_up
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import CreditNoteCreate, InvoiceKind, InvoiceState
from backend_client.types.wallets import CreditGrant, TopUp, TopUpOutcome

CREDIT_SOLD = "credit"
"""The kind of the line of a top-up's document."""

TAXED_WHEN_USED = "This is a receipt for prepaid credit. Tax falls when the credit is used."


async def settle_top_up(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    top_up_id: str,
    outcome: TopUpOutcome,
    now: datetime,
    answers: TaxAnswers | None = None,
    *,
    by: Principal | None = None,
) -> TopUp:
    """Record what became of a payment; if it was paid, add the credit and issue its document.

    Again does nothing. What is paid is the top-up's amount: where tax falls on the sale, the credit
    is what the tax leaves of it. ``by`` is whose act it is: the audit has it, once. Raises as
    ``finish_top_up`` does, and ``TaxQuestionOpen`` or ``TaxNotKnown`` where ``answers`` lack what
    the tax service says.
    """
    await unbilled(connection, tenant.id, lock=True)  # locked before wallets, as all do
    top_up = await find_top_up(connection, tenant.id, top_up_id)
    sale = None
    if top_up.state == "pending" and outcome.state == "paid":
        sale = await _sale(connection, settings, tenant, top_up, outcome, now, answers)
    sold = None
    if sale is not None and settings.credit_taxed == "at_sale" and sale.tax.taxes:
        sold = Sold(sale.of.subtotal)
    finished = await finish_top_up(connection, tenant.id, top_up_id, outcome, now, sold=sold, by=by)
    if sale is None:
        return finished
    await issue(connection, settings, [sale], now)
    await connection.execute(
        update(top_ups)
        .where(top_ups.c.tenant_id == tenant.id, top_ups.c.id == top_up_id)
        .values(invoice_id=sale.of.id)
    )
    return await find_top_up(connection, tenant.id, top_up_id)


async def _sale(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    top_up: TopUp,
    outcome: TopUpOutcome,
    now: datetime,
    answers: TaxAnswers | None,
) -> ToIssue | None:
    """Return the document of a top-up that was paid; None if less than a minor unit was."""
    paid = round_to_minor_unit(top_up.amount, tenant.currency)
    if not paid:
        return None
    document = await _untaxed(connection, tenant, top_up, paid, now)
    received = Received("top_up", outcome.reference)
    if settings.credit_taxed != "at_sale":
        tax = InvoiceTax(notes=[TAXED_WHEN_USED])
        return ToIssue(document, tax, draws_credit=False, received=received, receipt=True)
    rules = await tax_rules(connection, settings, answers or TaxAnswers())
    asked = rules.decide(document)
    rates = [tax_line(tax).rate for tax in asked.taxes]
    taxed = tax_within_payment(paid, rates, tenant.currency)
    with exact_arithmetic():
        on_top = sum((line.amount for line in taxed.taxes if not line.rate.inclusive), ZERO)
    document = await _untaxed(connection, tenant, top_up, paid - on_top, now, document.id)
    tax = InvoiceTax([wire_tax(line, tenant.currency) for line in taxed.taxes], asked.notes)
    return ToIssue(document, tax, draws_credit=False, received=received)


async def _untaxed(
    connection: AsyncConnection,
    tenant: Tenant,
    top_up: TopUp,
    amount: Decimal,
    now: datetime,
    invoice_id: str | None = None,
) -> Untaxed:
    period = await period_at(connection, tenant, now)
    of = Item(CREDIT_SOLD, None, None, top_up.id)
    line = ComposedLine(of, "Prepaid credit", period_of(period), amount, amount)
    return Untaxed(
        # The same however often the tax service is asked about it
        invoice_id or f"inv_{top_up.id.removeprefix('top_')}",
        InvoiceKind.TOP_UP,
        tenant,
        await profile_of(connection, tenant.id),
        period,
        [line],
        day_at(now, period),
    )


async def refund_credit(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    grant_id: str,
    now: datetime,
    *,
    paid_out: Received | None = None,
    by: Principal | None = None,
) -> CreditGrant:
    """Take the rest of a bought grant out of the wallet, to be repaid. Again does nothing.

    If its sale was taxed, a credit note takes back the tax too, and what was paid for the rest is
    on the customer's balance, to be paid out; ``paid_out`` says how it was. ``by`` is whose act it
    is: the audit has it, once. Raises ``NotFound``, and ``Conflict`` for credit that was given.
    """
    await unbilled(connection, tenant.id, lock=True)
    grant = await find_grant(connection, tenant.id, grant_id)
    if not grant.taxed_at_sale:
        return await refund_grant(connection, tenant.id, grant_id, now, by=by)
    amount = whole_minor_units(grant.available, tenant.currency)
    if amount:
        back = await _take_back(
            connection, settings, tenant, grant_id, amount, "Credit refunded", now
        )
        if paid_out is not None:
            invoice_id = await _document_of(connection, tenant, grant_id)
            row = await lock_invoice(connection, tenant.id, invoice_id)
            method, reference = paid_out
            rows = [
                payment_row(row, -back, method, reference, now),
                payment_row(row, back, BALANCE, f"{method} {reference}", now),
            ]
            await connection.execute(insert(payments), rows)
        if by is not None:
            await record(connection, by, "wallet.refund", grant_id, tenant_id=tenant.id)
    return await find_grant(connection, tenant.id, grant_id)


async def pay_from_taxed_credit(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    now: datetime,
    *,
    most: Decimal | None = None,
) -> Decimal:
    """Pay what an invoice still asks for from credit whose sale was taxed; return what it paid.

    At ``most`` so much, if that is given. Its sale is credited as far as that, with the tax, and
    the balance pays the invoice. The caller holds the tenant's cursor.
    """
    grants = await _taxed_grants(connection, tenant, now)
    if not grants:
        return ZERO
    row = await lock_invoice(connection, tenant.id, invoice_id)
    asked = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
    asked = asked if most is None else min(asked, most)
    freed = ZERO
    for grant_id, available in grants:
        if asked <= freed:
            break
        sale = await lock_invoice(
            connection, tenant.id, await _document_of(connection, tenant, grant_id)
        )
        share = Fraction(asked - freed) * Fraction(sale["subtotal"]) / Fraction(sale["total"])
        unit = Decimal(1).scaleb(-minor_digits(tenant.currency))
        # One minor unit more than its share, since the tax of a part is rounded
        wanted = min(available, round_fraction(share, tenant.currency) + unit)
        reason = f"Credit used for invoice {row['number']}"
        freed += await _take_back(connection, settings, tenant, grant_id, wanted, reason, now)
    balance = (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO)
    drawn = min(asked, balance, freed)
    if drawn > 0:
        part = payment_row(row, drawn, BALANCE, "", now)
        part["reference"] = f"{row['number']} {part['id']}"
        await connection.execute(insert(payments).values(**part))
        await settle(connection, row, now, paid=row["paid"] + drawn)
    return max(drawn, ZERO)


async def _taxed_grants(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> list[tuple[str, Decimal]]:
    """Return the grants whose sale was taxed, the oldest first: what is left in minor units."""
    query = (
        select(credit_grants.c.id, credit_grants.c.available)
        .where(
            credit_grants.c.tenant_id == tenant.id,
            credit_grants.c.taxed_at_sale,
            credit_grants.c.available > 0,
            credit_grants.c.starts_at <= now,
        )
        .order_by(credit_grants.c.starts_at, credit_grants.c.id)
    )
    rows = await connection.execute(query)
    left = [(row.id, whole_minor_units(row.available, tenant.currency)) for row in rows]
    return [(grant_id, amount) for grant_id, amount in left if amount]


async def _take_back(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    grant_id: str,
    amount: Decimal,
    reason: str,
    now: datetime,
) -> Decimal:
    """Credit a part of a sale, and take as much out of the wallet; return what was paid for it."""
    invoice_id = await _document_of(connection, tenant, grant_id)
    wanted = CreditNoteCreate.model_validate(
        {"reason": reason, "lines": [{"line": 1, "amount": str(amount)}]}
    )
    before = await _credited(connection, tenant, invoice_id)
    await credit(connection, settings, tenant, invoice_id, wanted, now, of_credit=True)
    await refund_grant(connection, tenant.id, grant_id, now, amount=amount)
    return await _credited(connection, tenant, invoice_id) - before


async def _credited(connection: AsyncConnection, tenant: Tenant, invoice_id: str) -> Decimal:
    query = select(invoices.c.credited).where(
        invoices.c.tenant_id == tenant.id, invoices.c.id == invoice_id
    )
    return Decimal(await connection.scalar(query) or 0)


async def _document_of(connection: AsyncConnection, tenant: Tenant, grant_id: str) -> str:
    query = select(top_ups.c.invoice_id).where(
        top_ups.c.tenant_id == tenant.id, top_ups.c.id == grant_id
    )
    return str(await connection.scalar(query))
