"""Stored imports and their discrepancies: listing, setting a status, removing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import RowMapping, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.principal import Principal
from backend.kit.pages import Cursor, page_of
from backend.metering.errors import DiscrepancyNotFound, DiscrepancyPageGone, ReconciliationNotFound
from backend.storage.tables import discrepancies, reconciliations
from backend_client.types.common import Page
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyChange,
    DiscrepancyKind,
    DiscrepancyStatus,
    Reconciliation,
    ReconciliationOptions,
)
from backend_client.types.texts import AS_STORED


async def find_reconciliation(
    connection: AsyncConnection, reconciliation_id: str
) -> Reconciliation:
    """Return an import with its discrepancies counted by status; raise ``NotFound``."""
    row = await reconciliation_row(connection, reconciliation_id)
    counts = await _counts(connection, [reconciliation_id])
    return _reconciliation(row, counts)


async def list_reconciliations(
    connection: AsyncConnection, *, cursor: str | None, limit: int
) -> Page[Reconciliation]:
    """Return imports, newest first."""
    query = select(reconciliations).order_by(reconciliations.c.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(reconciliations.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    counts = await _counts(connection, [row["id"] for row in rows])
    return page_of(
        [_reconciliation(row, counts) for row in rows],
        limit,
        lambda reconciliation: reconciliation.id,
    )


async def list_discrepancies(
    connection: AsyncConnection,
    reconciliation_id: str,
    *,
    statuses: Sequence[DiscrepancyStatus] = (),
    cursor: str | None = None,
    limit: int | None = None,
) -> Page[Discrepancy]:
    """Return an import's discrepancies by day, model and meter; all if ``limit`` is None."""
    parent = await reconciliation_row(connection, reconciliation_id)
    c = discrepancies.c
    query = select(discrepancies).where(c.reconciliation_id == reconciliation_id)
    query = query.order_by(c.day, c.model, c.meter, c.kind)
    if statuses:
        query = query.where(c.status.in_([status.value for status in statuses]))
    if cursor is not None:
        after = select(c.day, c.model, c.meter, c.kind).where(
            c.reconciliation_id == reconciliation_id, c.id == Cursor.read(cursor)
        )
        row = (await connection.execute(after)).first()
        if row is None:
            raise DiscrepancyPageGone()
        query = query.where(tuple_(c.day, c.model, c.meter, c.kind) > tuple(row))
    if limit is not None:
        query = query.limit(limit + 1)
    rows = (await connection.execute(query)).mappings().all()
    items = [_discrepancy(row, parent["currency"]) for row in rows]
    return page_of(
        items, len(items) if limit is None else limit, lambda discrepancy: discrepancy.id
    )


async def change_discrepancy(
    connection: AsyncConnection,
    actor: str,
    reconciliation_id: str,
    discrepancy_id: str,
    change: DiscrepancyChange,
) -> Discrepancy:
    """Set a status, with a note by ``actor``. Raises ``NotFound``."""
    parent = await reconciliation_row(connection, reconciliation_id)
    note = {
        "at": datetime.now(UTC).isoformat(),
        "actor": actor,
        "status": change.status.value,
        "text": change.note,
    }
    changed = await connection.execute(
        update(discrepancies)
        .where(
            discrepancies.c.reconciliation_id == reconciliation_id,
            discrepancies.c.id == discrepancy_id,
        )
        .values(status=change.status.value, notes=discrepancies.c.notes.concat([note]))
        .returning(discrepancies)
    )
    row = changed.mappings().first()
    if row is None:
        raise DiscrepancyNotFound()
    return _discrepancy(row, parent["currency"])


async def remove_reconciliation(
    connection: AsyncConnection, caller: Principal, reconciliation_id: str
) -> None:
    """Remove an import with its discrepancies and notes, so that the file can be imported again.

    Nothing else is made from it: what is metered, and other imports, stay as they are. The audit
    keeps what it was. Raises ``NotFound``.
    """
    row = await reconciliation_row(connection, reconciliation_id, lock=True)
    counts = await _counts(connection, [reconciliation_id])
    await connection.execute(
        delete(reconciliations).where(reconciliations.c.id == reconciliation_id)
    )
    detail = {
        "provider": row["provider"],
        "file_name": row["file_name"],
        "content_hash": row["content_hash"],
        "first_day": row["first_day"].isoformat(),
        "last_day": row["last_day"].isoformat(),
        "discrepancies": {status: count for (_, status), count in sorted(counts.items())},
    }
    await record(
        connection,
        caller,
        "reconciliation.remove",
        reconciliation_id,
        tenant_id=NO_TENANT,
        detail=detail,
    )


async def reconciliation_row(
    connection: AsyncConnection, reconciliation_id: str, *, lock: bool = False
) -> RowMapping:
    """Return an import's row, locked if ``lock``; raise ``NotFound``."""
    query = select(reconciliations).where(reconciliations.c.id == reconciliation_id)
    result = await connection.execute(query.with_for_update() if lock else query)
    row = result.mappings().first()
    if row is None:
        raise ReconciliationNotFound()
    return row


async def _counts(connection: AsyncConnection, ids: Sequence[str]) -> Mapping[tuple[str, str], int]:
    c = discrepancies.c
    rows = await connection.execute(
        select(c.reconciliation_id, c.status, func.count())
        .where(c.reconciliation_id.in_(ids))
        .group_by(c.reconciliation_id, c.status)
    )
    return {(parent, status): count for parent, status, count in rows}


def _reconciliation(row: RowMapping, counts: Mapping[tuple[str, str], int]) -> Reconciliation:
    statuses = {
        status.value: counts.get((row["id"], status.value), 0) for status in DiscrepancyStatus
    }
    options = ReconciliationOptions.model_validate(row["options"], context=AS_STORED)
    return Reconciliation.model_validate(
        {**row, **statuses, "options": options, "time_zone": options.time_zone}
    )


def _discrepancy(row: RowMapping, currency: str | None) -> Discrepancy:
    of_money = row["kind"] == DiscrepancyKind.AMOUNT.value
    return Discrepancy.model_validate({**row, "currency": currency if of_money else None})
