"""Imports and their discrepancies, as they are kept. An import again is the one that was."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.pages import Cursor, page_of
from backend.errors import Conflict, NotFound
from backend.ids import new_id
from backend.metering.reconciliation.causes import Evidence
from backend.metering.reconciliation.formats import read_export
from backend.metering.reconciliation.matching import Found, Matching, Place, match
from backend.metering.reconciliation.metered import metered_usage
from backend.metering.reconciliation.names import ModelNames
from backend.metering.reconciliation.rates import load_rates
from backend.metering.reconciliation.reading import ALL, Sums
from backend.settings import Settings
from backend.storage.tables import discrepancies, models, provider_entries, reconciliations
from backend_client.types.common import Page, plain
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyCause,
    DiscrepancyChange,
    DiscrepancyKind,
    DiscrepancyStatus,
    Reconciliation,
    ReconciliationOptions,
)

_ROWS_AT_A_TIME = 5_000
_READ_BYTES = 1_048_576


async def import_export(
    connection: AsyncConnection,
    settings: Settings,
    actor: str,
    file: IO[bytes],
    file_name: str,
    options: ReconciliationOptions,
) -> tuple[Reconciliation, bool]:
    """Read an export, match it, and keep both for ``actor``; tell whether it is new.

    The same file with the same options is the import that was there, unchanged. Raises
    ``UnreadableExport``, having kept nothing.
    """
    fingerprint = await asyncio.to_thread(_fingerprint, file, options)
    known = await _imported(connection, fingerprint)
    if known is not None:
        return known, False
    chosen, export = await asyncio.to_thread(read_export, file, options)
    first_day, last_day = export.covered
    now = datetime.now(UTC)
    made = await connection.execute(
        upsert(reconciliations)
        .values(
            id=new_id("rec"),
            provider=options.provider,
            format=chosen.value,
            file_name=file_name,
            content_hash=fingerprint,
            options=options.model_dump(mode="json"),
            first_day=first_day,
            last_day=last_day,
            currency=export.currency,
            entries=len(export.sums),
            created_by=actor,
            matched_at=now,
            matched=0,
            totals=[],
        )
        # Waits for the same import under way; if that one stays, this one does nothing.
        .on_conflict_do_nothing(index_elements=[reconciliations.c.content_hash])
        .returning(reconciliations.c.id)
    )
    made_id = made.scalar()
    if made_id is None:
        known = await _imported(connection, fingerprint)
        if known is None:
            raise Conflict("The same import was under way and failed; send it again.")
        return known, False
    entries = [
        {
            "reconciliation_id": made_id,
            "day": day,
            "model": model,
            "meter": meter,
            "quantity": sums.quantity,
            "amount": sums.amount,
        }
        for (day, model, meter), sums in export.sums.items()
    ]
    for start in range(0, len(entries), _ROWS_AT_A_TIME):
        await connection.execute(insert(provider_entries), entries[start : start + _ROWS_AT_A_TIME])
    return await match_again(connection, settings, made_id), True


async def _imported(connection: AsyncConnection, fingerprint: str) -> Reconciliation | None:
    query = select(reconciliations.c.id).where(reconciliations.c.content_hash == fingerprint)
    known = await connection.scalar(query)
    return None if known is None else await find_reconciliation(connection, known)


def _fingerprint(file: IO[bytes], options: ReconciliationOptions) -> str:
    digest = hashlib.sha256(options.model_dump_json().encode())
    file.seek(0)
    while part := file.read(_READ_BYTES):
        digest.update(part)
    file.seek(0)
    return digest.hexdigest()


async def match_again(
    connection: AsyncConnection, settings: Settings, reconciliation_id: str
) -> Reconciliation:
    """Compare an import with what is metered now; statuses and notes stay.

    A discrepancy that is gone and was never looked at goes; one with a note stays as settled.
    """
    row = await _row(connection, reconciliation_id, lock=True)
    options = ReconciliationOptions.model_validate(row["options"])
    matching = await _match(connection, settings, row, options)
    before = await connection.execute(
        select(discrepancies).where(discrepancies.c.reconciliation_id == reconciliation_id)
    )
    kept = {_place(one): one for one in before.mappings()}
    rows = [
        _discrepancy_row(reconciliation_id, one, kept.pop((*one.place, one.kind.value), None))
        for one in matching.found
    ]
    rows += [_settled(one) for one in kept.values() if one["notes"]]
    await connection.execute(
        delete(discrepancies).where(discrepancies.c.reconciliation_id == reconciliation_id)
    )
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        await connection.execute(insert(discrepancies), rows[start : start + _ROWS_AT_A_TIME])
    totals = [
        {"meter": meter, "provider": plain(theirs), "metered": plain(ours)}
        for meter, (theirs, ours) in sorted(matching.totals.items())
    ]
    await connection.execute(
        update(reconciliations)
        .where(reconciliations.c.id == reconciliation_id)
        .values(
            matched_at=datetime.now(UTC),
            matched=matching.matched,
            billed=matching.billed,
            expected=matching.expected,
            totals=totals,
        )
    )
    return await find_reconciliation(connection, reconciliation_id)


async def _match(
    connection: AsyncConnection,
    settings: Settings,
    row: RowMapping,
    options: ReconciliationOptions,
) -> Matching:
    catalog = set(await connection.scalars(select(models.c.id)))
    names = ModelNames(options.models, settings.upstreams, catalog)
    provided: dict[Place, Sums] = {}
    stored = await connection.execute(
        select(provider_entries).where(provider_entries.c.reconciliation_id == row["id"])
    )
    for one in stored.mappings():
        model = one["model"] if one["model"] == ALL else names.model_of(one["model"])
        sums = provided.setdefault((one["day"], model, one["meter"]), Sums())
        sums.quantity = _sum(sums.quantity, one["quantity"])
        sums.amount = _sum(sums.amount, one["amount"])
    involved = {model for _, model, _ in provided if model != ALL}
    involved |= set(options.models.values())
    involved |= names.served_by(options.provider, settings.upstreams)
    zone = ZoneInfo(options.time_zone)
    metered = await metered_usage(connection, zone, row["first_day"], row["last_day"], involved)
    rates = await asyncio.to_thread(load_rates, settings.cost_rates)

    def rate(day: date, model: str, meter: str) -> Decimal | None:
        if row["currency"] not in (None, rates.currency):
            return None
        return rates.unit_cost(
            day, model, meter, provider=options.provider, own_name=names.own_name(model)
        )

    evidence = Evidence(
        zone=zone,
        tolerance=options.tolerance,
        days=(row["first_day"], row["last_day"]),
        failed=metered.failed,
        series=metered.quarters,
        rates=rate,
    )
    return await asyncio.to_thread(match, provided, metered.days, evidence)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one if other is None else one + other


def _place(row: RowMapping) -> tuple[date, str, str, str]:
    return (row["day"], row["model"], row["meter"], row["kind"])


def _discrepancy_row(
    reconciliation_id: str, found: Found, before: RowMapping | None
) -> dict[str, Any]:
    day, model, meter = found.place
    return {
        "reconciliation_id": reconciliation_id,
        "id": new_id("dsc") if before is None else before["id"],
        "day": day,
        "model": model,
        "meter": meter,
        "kind": found.kind.value,
        "provider": found.provider,
        "metered": found.metered,
        "difference": found.difference,
        "cause": found.cause.value,
        "explanation": found.explanation,
        "status": DiscrepancyStatus.OPEN.value if before is None else before["status"],
        "notes": [] if before is None else before["notes"],
    }


def _settled(before: RowMapping) -> dict[str, Any]:
    return {
        **before,
        "metered": before["provider"],
        "difference": Decimal(0),
        "cause": DiscrepancyCause.SETTLED.value,
        "explanation": "The two agree now.",
    }


async def find_reconciliation(
    connection: AsyncConnection, reconciliation_id: str
) -> Reconciliation:
    """Return an import with how many of its discrepancies are in each status, or ``NotFound``."""
    row = await _row(connection, reconciliation_id)
    counts = await _counts(connection, [reconciliation_id])
    return _told(row, counts)


async def list_reconciliations(
    connection: AsyncConnection, *, cursor: str | None, limit: int
) -> Page[Reconciliation]:
    """Return imports, newest first."""
    query = select(reconciliations).order_by(reconciliations.c.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(reconciliations.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    counts = await _counts(connection, [row["id"] for row in rows])
    return page_of([_told(row, counts) for row in rows], limit, lambda one: one.id)


async def list_discrepancies(
    connection: AsyncConnection,
    reconciliation_id: str,
    *,
    statuses: Sequence[DiscrepancyStatus] = (),
    cursor: str | None = None,
    limit: int | None = None,
) -> Page[Discrepancy]:
    """Return an import's discrepancies by day, model and meter; all of them without a limit."""
    parent = await _row(connection, reconciliation_id)
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
            raise NotFound("The page that the cursor goes on from is no longer there.")
        query = query.where(tuple_(c.day, c.model, c.meter, c.kind) > tuple(row))
    if limit is not None:
        query = query.limit(limit + 1)
    rows = (await connection.execute(query)).mappings().all()
    items = [_discrepancy(row, parent["currency"]) for row in rows]
    return page_of(items, len(items) if limit is None else limit, lambda one: one.id)


async def change_discrepancy(
    connection: AsyncConnection,
    actor: str,
    reconciliation_id: str,
    discrepancy_id: str,
    change: DiscrepancyChange,
) -> Discrepancy:
    """Set a status, with a note of who said why. Raises ``NotFound``."""
    parent = await _row(connection, reconciliation_id)
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
        raise NotFound("This reconciliation has no such discrepancy.")
    return _discrepancy(row, parent["currency"])


async def _row(
    connection: AsyncConnection, reconciliation_id: str, *, lock: bool = False
) -> RowMapping:
    query = select(reconciliations).where(reconciliations.c.id == reconciliation_id)
    found = await connection.execute(query.with_for_update() if lock else query)
    row = found.mappings().first()
    if row is None:
        raise NotFound("There is no such reconciliation.")
    return row


async def _counts(connection: AsyncConnection, ids: Sequence[str]) -> Mapping[tuple[str, str], int]:
    c = discrepancies.c
    rows = await connection.execute(
        select(c.reconciliation_id, c.status, func.count())
        .where(c.reconciliation_id.in_(ids))
        .group_by(c.reconciliation_id, c.status)
    )
    return {(parent, status): count for parent, status, count in rows}


def _told(row: RowMapping, counts: Mapping[tuple[str, str], int]) -> Reconciliation:
    statuses = {
        status.value: counts.get((row["id"], status.value), 0) for status in DiscrepancyStatus
    }
    options = ReconciliationOptions.model_validate(row["options"])
    return Reconciliation.model_validate(
        {**row, **statuses, "options": options, "time_zone": options.time_zone}
    )


def _discrepancy(row: RowMapping, currency: str | None) -> Discrepancy:
    of_money = row["kind"] == DiscrepancyKind.AMOUNT.value
    return Discrepancy.model_validate({**row, "currency": currency if of_money else None})
