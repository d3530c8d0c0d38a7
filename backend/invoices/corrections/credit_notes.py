"""Credit notes: take back an invoice or parts of it, with the tax that was on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.invoices.corrections.credited_amounts import (
    TaxedBasis,
    credited_amounts,
    tax_on_top,
)
from backend.invoices.errors import (
    CreditSaleStands,
    InvoiceVoid,
)
from backend.invoices.issuing.given_part import given_part
from backend.invoices.issuing.issuing import BALANCE, CREDIT, payment_row
from backend.invoices.issuing.numbering import credit_note_series, take_numbers
from backend.invoices.rules.crediting import spread_over, subtotal_of
from backend.invoices.rules.notices import credited_notice
from backend.invoices.settling import lock_invoice, settle
from backend.invoices.taxing.deciding import tax_line
from backend.outbox.platform_queue import Action, Fact, enqueue_for_platforms
from backend.outbox.queue import enqueue_notices
from backend.pricing.money import ZERO, exact_arithmetic
from backend.settings import Settings
from backend.storage.tables import credit_notes, invoice_lines, payments
from backend.wallets.given import give_back
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    AFTER_TAX,
    CreditNoteCreate,
    CreditWanted,
    InvoiceKind,
    InvoiceState,
    Tax,
)


async def credit(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    wanted: CreditNoteCreate,
    now: datetime,
    *,
    idempotency_key: str | None = None,
    of_credit: bool = False,
    by: Principal | None = None,
) -> str:
    """Credit lines of an issued invoice, or the rest of it; return the note's id.

    ``by`` is whose act it is: the audit has it, once.
    It lowers what is due. What was paid already is added to the customer's balance, which the next
    invoices draw on; but what credit paid of it that was given away goes back into the wallet, once
    all money has. ``of_credit``: the credit that the invoice sold is taken back too. Raises
    ``NotFound``; ``Conflict`` for an invoice that is void, has nothing left or sold credit;
    ``InvalidInput`` for more than is left of a line or of the invoice.
    """
    row = await lock_invoice(connection, tenant.id, invoice_id)
    if row["kind"] == InvoiceKind.TOP_UP and not of_credit:
        raise CreditSaleStands()
    note_id = new_id("crn")
    if idempotency_key is not None:
        request = f"credit {invoice_id} {wanted.model_dump_json()}"
        recorded = await claim_key(connection, tenant.id, idempotency_key, request, note_id)
        if recorded is not None:
            return recorded
    if row["state"] == InvoiceState.VOID:
        raise InvoiceVoid("This invoice is void: there is nothing to credit.")
    earlier = await _earlier(connection, tenant.id, invoice_id)
    basis, left = await _basis_and_left(connection, row, earlier)
    with exact_arithmetic():
        given = await given_part(connection, tenant, row)
        in_money = row["paid"] - given.left
        amounts = credited_amounts(wanted, row, basis, left, earlier, most_in_money=in_money)
    series = credit_note_series(settings.invoice_prefix, tenant.slug)
    number = (await take_numbers(connection, [series]))[series]
    note = {
        "tenant_id": tenant.id,
        "id": note_id,
        "number": number,
        "invoice_id": invoice_id,
        "reason": wanted.reason,
        "lines": [{"line": line, "amount": str(amount)} for line, amount in amounts.lines.items()],
        "subtotal": amounts.subtotal,
        "tax": amounts.tax,
        "taxes": [each.model_dump(mode="json") for each in amounts.taxes],
        "total": amounts.total,
        "to_balance": amounts.to_balance,
        "to_credit": amounts.to_credit,
        "issued_at": now,
    }
    await connection.execute(insert(credit_notes).values(**note))
    await enqueue_notices(connection, [credited_notice(row, note)])
    if row["kind"] != InvoiceKind.TOP_UP:
        credited = Fact(tenant.id, Action.CREDIT_NOTE, invoice_id, note_id, row["issued_at"])
        await enqueue_for_platforms(connection, [credited])
    for source, amount in ((BALANCE, amounts.to_balance), (CREDIT, amounts.to_credit)):
        if amount:
            onto = payment_row(row, -amount, source, number, now)
            await connection.execute(insert(payments).values(**onto))
    if amounts.to_credit:
        await give_back(connection, tenant, given.credit, amounts.to_credit, note_id, now)
    await settle(
        connection,
        row,
        now,
        paid=row["paid"] - amounts.paid_back,
        credited=row["credited"] + amounts.total,
    )
    if by is not None:
        detail = {"credit_note": note_id, "reason": wanted.reason}
        await record(
            connection, by, "invoice.credit", invoice_id, tenant_id=tenant.id, detail=detail
        )
    return note_id


async def credit_total(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    total: Decimal,
    reason: str,
    now: datetime,
    *,
    idempotency_key: str,
) -> str:
    """Credit lines whose amounts come to ``total`` with their tax; return the note's id.

    Lines are taken from the first on. Raises what ``credit`` does, and ``InvalidInput`` if the
    rounding of the tax leaves no lines that come to that total.
    """
    row = await lock_invoice(connection, tenant.id, invoice_id)
    earlier = await _earlier(connection, tenant.id, invoice_id)
    basis, left = await _basis_and_left(connection, row, earlier)
    with exact_arithmetic():
        before = basis.credited(earlier)
        taxed_before = basis.taxed(earlier)

        def with_tax(subtotal: Decimal) -> Decimal:
            return subtotal + tax_on_top(basis, before + subtotal) - taxed_before

        lines: list[tuple[int, Decimal]] = []  # all that is left, lines below zero too
        not_taxed = sum(left.values(), ZERO) - basis.taxable(left)
        if total != with_tax(basis.taxable(left)) + not_taxed:
            subtotal = subtotal_of(total, with_tax, row["currency"])
            lines = spread_over(subtotal, left) if subtotal is not None else []
            if not lines:
                raise InvalidInput.of_field("total", "is no sum of lines with their tax")
    wanted = CreditNoteCreate(
        reason=reason[:200],
        lines=[CreditWanted(line=line, amount=amount) for line, amount in lines],
    )
    return await credit(
        connection, settings, tenant, invoice_id, wanted, now, idempotency_key=idempotency_key
    )


async def _earlier(
    connection: AsyncConnection, tenant_id: str, invoice_id: str
) -> Sequence[RowMapping]:
    query = select(credit_notes).where(
        credit_notes.c.tenant_id == tenant_id, credit_notes.c.invoice_id == invoice_id
    )
    return (await connection.execute(query)).mappings().all()


async def _basis_and_left(
    connection: AsyncConnection, row: RowMapping, earlier: Sequence[RowMapping]
) -> tuple[TaxedBasis, dict[int, Decimal]]:
    """Return what an invoice's taxes are on, and what is left of each line, by its number."""
    taken: defaultdict[int, Decimal] = defaultdict(Decimal)
    for note in earlier:
        for line in note["lines"]:
            taken[line["line"]] += Decimal(line["amount"])
    query = (
        select(invoice_lines.c.line, invoice_lines.c.kind, invoice_lines.c.amount)
        .where(
            invoice_lines.c.tenant_id == row["tenant_id"], invoice_lines.c.invoice_id == row["id"]
        )
        .order_by(invoice_lines.c.line)
    )
    rows = (await connection.execute(query)).all()
    taxes = [tax_line(Tax.model_validate(tax)) for tax in row["taxes"]]
    if any(not note["lines"] for note in earlier):  # one of tax alone took all of it on top
        taxes = [tax for tax in taxes if tax.rate.inclusive]
    basis = TaxedBasis(
        tuple(taxes),
        sum((line.amount for line in rows if line.kind not in AFTER_TAX), ZERO),
        frozenset(line.line for line in rows if line.kind in AFTER_TAX),
        row["currency"],
    )
    return basis, {line.line: line.amount - taken[line.line] for line in rows}
