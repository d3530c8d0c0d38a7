"""The entries of closed months, as they were kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.chargeback.rules.documents import CostKey, Entry
from backend.invoices.rules.lines import Item
from backend.storage.tables import chargeback_entries
from backend_client.types.chargeback import SharedCost

_BATCH = 1000


async def entries_of(connection: AsyncConnection, tenant_id: str, month: datetime) -> list[Entry]:
    """Return the entries of a closed month, which is given by its start."""
    query = (
        select(chargeback_entries)
        .where(
            chargeback_entries.c.tenant_id == tenant_id,
            chargeback_entries.c.period_start == month,
        )
        .order_by(chargeback_entries.c.entry)
    )
    return [_entry(row) for row in (await connection.execute(query)).mappings()]


async def entries_about(
    connection: AsyncConnection,
    tenant_id: str,
    periods: Collection[datetime],
    documents: Collection[str],
) -> list[Entry]:
    """Return what closed months bear for usage of these periods, by their starts, or of documents.

    Entries of what is long over are left where they are: there are more of them every month.
    """
    if not periods and not documents:
        return []
    query = (
        select(chargeback_entries)
        .where(
            chargeback_entries.c.tenant_id == tenant_id,
            or_(
                chargeback_entries.c.usage_start.in_(periods),
                chargeback_entries.c.document.in_(documents),
            ),
        )
        .order_by(chargeback_entries.c.period_start, chargeback_entries.c.entry)
    )
    return [_entry(row) for row in (await connection.execute(query)).mappings()]


async def posted_documents(connection: AsyncConnection, tenant_id: str) -> set[str]:
    """Return the invoices and credit notes that closed months bear."""
    query = select(chargeback_entries.c.document).where(chargeback_entries.c.tenant_id == tenant_id)
    return set(await connection.scalars(query.distinct()))


async def keep_entries(
    connection: AsyncConnection, tenant_id: str, month: datetime, entries: Sequence[Entry]
) -> None:
    """Store the entries of a month that is being closed."""
    rows = [_row(tenant_id, month, number, entry) for number, entry in enumerate(entries, start=1)]
    for first in range(0, len(rows), _BATCH):
        await connection.execute(insert(chargeback_entries), rows[first : first + _BATCH])


def _row(tenant_id: str, month: datetime, number: int, entry: Entry) -> dict[str, Any]:
    key = entry.key
    cut_start, cut_end = key.cut or (None, None)
    return {
        "tenant_id": tenant_id,
        "period_start": month,
        "entry": number,
        "document": entry.document,
        "number": entry.number,
        "line": entry.line,
        "kind": key.item.kind,
        "plan": key.item.plan,
        "plan_version": key.item.plan_version,
        "item": key.item.item,
        "name": entry.name,
        "usage_start": key.start,
        "usage_end": key.end,
        "cut_start": cut_start,
        "cut_end": cut_end,
        "series": key.series,
        "shared": None if entry.shared is None else entry.shared.value,
        "path": list(entry.path),
        "amount": entry.amount,
        "charged": entry.charged,
        "quantity": entry.quantity,
        "adjustment": entry.adjustment,
        "unit": entry.unit,
    }


def _entry(row: RowMapping) -> Entry:
    cut = None if row["cut_start"] is None else (row["cut_start"], row["cut_end"])
    item = Item(row["kind"], row["plan"], row["plan_version"], row["item"])
    return Entry(
        row["document"],
        row["number"],
        row["line"],
        CostKey(row["usage_start"], row["usage_end"], item, cut, row["series"]),
        row["name"],
        tuple(row["path"]),
        row["amount"],
        row["charged"],
        row["quantity"],
        None if row["shared"] is None else SharedCost(row["shared"]),
        row["adjustment"],
        row["unit"],
    )
