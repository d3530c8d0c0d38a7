"""Lines that wait for a customer's next invoice: each is taken once, by what closes a period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, RowMapping, Text, bindparam, delete, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.errors import InvoiceItemNotFound, InvoiceItemTaken
from backend.invoices.rules.lines import ITEM, ComposedLine
from backend.kit.pages import Cursor, page_of
from backend.pricing.money import exact_arithmetic, money, round_to_minor_unit
from backend.storage.tables import invoice_items
from backend_client.types.accounts import Tenant
from backend_client.types.common import Page
from backend_client.types.invoice_items import InvoiceItem, InvoiceItemCreate

_TAKE = text(
    """
    UPDATE invoice_items SET "left" = "left" - taken.amount, invoice_id = taken.invoice_id
    FROM unnest(:tenants, :items, :invoices, :amounts)
        AS taken (tenant_id, id, invoice_id, amount)
    WHERE invoice_items.tenant_id = taken.tenant_id AND invoice_items.id = taken.id
    """
).bindparams(
    bindparam("tenants", type_=ARRAY(Text)),
    bindparam("items", type_=ARRAY(Text)),
    bindparam("invoices", type_=ARRAY(Text)),
    bindparam("amounts", type_=ARRAY(Numeric)),
)


async def add_item(
    connection: AsyncConnection,
    tenant: Tenant,
    wanted: InvoiceItemCreate,
    now: datetime,
    *,
    idempotency_key: str | None = None,
    by: Principal | None = None,
) -> InvoiceItem:
    """Keep a line for the next invoice. With an ``idempotency_key`` used before: that of then.

    ``by`` is whose act it is: the audit has it, once. Raises ``InvalidInput`` if it comes to
    nothing.
    """
    item_id = new_id("itm")
    if idempotency_key is not None:
        request = f"invoice item {wanted.model_dump_json()}"
        recorded = await claim_key(connection, tenant.id, idempotency_key, request, item_id)
        if recorded is not None:
            return await find_item(connection, tenant, recorded)
    with exact_arithmetic():
        exact = wanted.amount
        if exact is None:
            exact = wanted.quantity * (wanted.unit_price or Decimal(0))
    amount = round_to_minor_unit(exact, tenant.currency)
    if not amount:
        field = "amount" if wanted.unit_price is None else "unit_price"
        raise InvalidInput.of_field(field, "comes to nothing that could be asked for")
    counted = wanted.unit_price is not None
    row = {
        "tenant_id": tenant.id,
        "id": item_id,
        "name": wanted.name,
        "quantity": wanted.quantity if counted else None,
        "unit_price": wanted.unit_price,
        "exact": exact,
        "amount": amount,
        "left": amount,
        "tax_code": wanted.tax_code,
        "period_start": wanted.start,
        "period_end": wanted.end,
        "created_at": now,
    }
    await connection.execute(insert(invoice_items).values(**row))
    if by is not None:
        detail = wanted.model_dump(mode="json", exclude_none=True)
        await record(
            connection, by, "invoice-item.add", item_id, tenant_id=tenant.id, detail=detail
        )
    return await find_item(connection, tenant, item_id)


async def remove_item(
    connection: AsyncConnection, tenant: Tenant, item_id: str, *, by: Principal | None = None
) -> None:
    """Remove a line that no invoice has taken. ``by`` is whose act it is: the audit has it.

    Raises ``NotFound``; ``Conflict`` if it was taken, whole or in part.
    """
    await unbilled(connection, tenant.id, lock=True)  # no invoice takes it meanwhile
    item = await find_item(connection, tenant, item_id)
    if item.left != item.amount:
        raise InvoiceItemTaken()
    of = invoice_items.c.tenant_id == tenant.id, invoice_items.c.id == item_id
    await connection.execute(delete(invoice_items).where(*of))
    if by is not None:
        detail: dict[str, object] = {"name": item.name}
        await record(
            connection, by, "invoice-item.remove", item_id, tenant_id=tenant.id, detail=detail
        )


async def find_item(connection: AsyncConnection, tenant: Tenant, item_id: str) -> InvoiceItem:
    """Return a line that waits or was taken; raise ``NotFound``."""
    query = select(invoice_items).where(
        invoice_items.c.tenant_id == tenant.id, invoice_items.c.id == item_id
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise InvoiceItemNotFound()
    return _item(row, tenant.currency)


async def list_items(
    connection: AsyncConnection, tenant: Tenant, *, cursor: str | None, limit: int
) -> Page[InvoiceItem]:
    """Return a page of a tenant's lines beside its plan, the newest first, taken ones too."""
    query = select(invoice_items).where(invoice_items.c.tenant_id == tenant.id)
    if cursor is not None:
        query = query.where(invoice_items.c.id < Cursor.read(cursor))
    rows = await connection.execute(query.order_by(invoice_items.c.id.desc()).limit(limit + 1))
    items = [_item(row, tenant.currency) for row in rows.mappings()]
    return page_of(items, limit, lambda item: item.id)


async def pending_items(
    connection: AsyncConnection, tenant_ids: Sequence[str]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return what waits for the next invoice of each tenant, in the order in which it came."""
    query = (
        select(invoice_items)
        .where(invoice_items.c.tenant_id.in_(tenant_ids), invoice_items.c.left != 0)
        .order_by(invoice_items.c.tenant_id, invoice_items.c.id)
    )
    pending: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        pending[row["tenant_id"]].append(dict(row))
    return pending


async def take_items(
    connection: AsyncConnection, taken: Iterable[tuple[str, str, Sequence[ComposedLine]]]
) -> None:
    """Count the lines of invoices, given with their tenants and ids, as taken from what waits."""
    rows = [
        (tenant_id, line.of.item, invoice_id, line.amount)
        for tenant_id, invoice_id, lines in taken
        for line in lines
        if line.of.kind == ITEM
    ]
    if rows:
        tenants, items, invoices, amounts = zip(*rows, strict=True)
        await connection.execute(
            _TAKE,
            {
                "tenants": list(tenants),
                "items": list(items),
                "invoices": list(invoices),
                "amounts": list(amounts),
            },
        )


async def give_items_back(
    connection: AsyncConnection, tenant_id: str, lines: Sequence[tuple[str, Decimal]]
) -> None:
    """Let lines of a void invoice, given with their amounts, wait for the next one again."""
    if lines:
        items, amounts = zip(*lines, strict=True)
        await connection.execute(
            _TAKE,
            {
                "tenants": [tenant_id] * len(lines),
                "items": list(items),
                "invoices": [None] * len(lines),
                "amounts": [-amount for amount in amounts],
            },
        )


def _item(row: RowMapping, currency: str) -> InvoiceItem:
    return InvoiceItem(
        id=row["id"],
        state="pending" if row["left"] else "invoiced",
        name=row["name"],
        quantity=row["quantity"],
        unit_price=row["unit_price"],
        amount=money(row["amount"], currency),
        left=money(row["left"], currency),
        tax_code=row["tax_code"],
        start=row["period_start"],
        end=row["period_end"],
        invoice_id=row["invoice_id"],
        created_at=row["created_at"],
    )
