"""Importing a provider's export, and matching it. Importing it again returns the first import."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.principal import Principal
from backend.ids import new_id
from backend.metering.errors import ImportInterrupted
from backend.metering.reconciliation.exports.formats import read_export
from backend.metering.reconciliation.exports.parsing import ALL, Sums
from backend.metering.reconciliation.matching.evidence import Evidence
from backend.metering.reconciliation.matching.matching import MatchedDiscrepancy, Matching, match
from backend.metering.reconciliation.metered import metered_usage
from backend.metering.reconciliation.meters import Place
from backend.metering.reconciliation.names import ModelNames
from backend.metering.reconciliation.rates import load_rates
from backend.metering.reconciliation.store import find_reconciliation, reconciliation_row
from backend.pricing.money import exact_arithmetic
from backend.settings import Settings
from backend.storage.tables import discrepancies, models, provider_entries, reconciliations
from backend_client.types.common import plain
from backend_client.types.reconciliation import (
    DiscrepancyCause,
    DiscrepancyStatus,
    Reconciliation,
    ReconciliationOptions,
)
from backend_client.types.texts import AS_STORED

_ROWS_AT_A_TIME = 5_000
_READ_BYTES = 1_048_576
_LATER_OPTIONS = ("upstreams", "focus")
_LATER_MAPPING = ("date_format", "model_pattern", "credits", "unit", "units", "where")


async def import_export(
    connection: AsyncConnection,
    settings: Settings,
    caller: Principal,
    file: IO[bytes],
    file_name: str,
    options: ReconciliationOptions,
) -> tuple[Reconciliation, bool]:
    """Read an export, match it, and store both for ``caller``; return whether it is new.

    The same file with the same options is the earlier import, unchanged. Raises
    ``UnreadableExport``, storing nothing.
    """
    fingerprint = await asyncio.to_thread(_fingerprint, file, options)
    earlier = await _imported(connection, fingerprint)
    if earlier is not None:
        return earlier, False
    chosen, export = await asyncio.to_thread(read_export, file, options)
    first_day, last_day = export.covered
    now = datetime.now(UTC)
    inserted = await connection.execute(
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
            created_by=caller.id,
            matched_at=now,
            matched=0,
            totals=[],
        )
        # Waits for the same import under way; if that one succeeds, this one does nothing.
        .on_conflict_do_nothing(index_elements=[reconciliations.c.content_hash])
        .returning(reconciliations.c.id)
    )
    import_id = inserted.scalar()
    if import_id is None:
        earlier = await _imported(connection, fingerprint)
        if earlier is None:
            raise ImportInterrupted()
        return earlier, False
    entries = [
        {
            "reconciliation_id": import_id,
            "day": day,
            "model": model,
            "meter": meter,
            "tier": tier,
            "quantity": quantity,
            "amount": amount,
        }
        for (day, model, meter), sums in export.sums.items()
        for tier, quantity, amount in sums.rows()
    ]
    for start in range(0, len(entries), _ROWS_AT_A_TIME):
        await connection.execute(insert(provider_entries), entries[start : start + _ROWS_AT_A_TIME])
    detail = {"provider": options.provider, "file_name": file_name, "content_hash": fingerprint}
    await record(
        connection,
        caller,
        "reconciliation.create",
        import_id,
        tenant_id=NO_TENANT,
        detail=detail,
    )
    return await rematch(connection, settings, import_id), True


async def _imported(connection: AsyncConnection, fingerprint: str) -> Reconciliation | None:
    query = select(reconciliations.c.id).where(reconciliations.c.content_hash == fingerprint)
    earlier_id = await connection.scalar(query)
    return None if earlier_id is None else await find_reconciliation(connection, earlier_id)


def _fingerprint(file: IO[bytes], options: ReconciliationOptions) -> str:
    # Without options that came later and are not used: then an older import is still the same
    unused: dict[str, Any] = {
        name: True for name in _LATER_OPTIONS if getattr(options, name) is None
    }
    if options.mapping is not None:
        unused["mapping"] = {name for name in _LATER_MAPPING if not getattr(options.mapping, name)}
    digest = hashlib.sha256(options.model_dump_json(exclude=unused).encode())
    file.seek(0)
    while part := file.read(_READ_BYTES):
        digest.update(part)
    file.seek(0)
    return digest.hexdigest()


async def rematch(
    connection: AsyncConnection, settings: Settings, reconciliation_id: str
) -> Reconciliation:
    """Compare an import with what is metered now; statuses and notes stay.

    A discrepancy that no longer exists is deleted unless it has a note; then it stays as settled.
    """
    row = await reconciliation_row(connection, reconciliation_id, lock=True)
    options = ReconciliationOptions.model_validate(row["options"], context=AS_STORED)
    matching, upstreams = await _match(connection, settings, row, options)
    before = await connection.execute(
        select(discrepancies).where(discrepancies.c.reconciliation_id == reconciliation_id)
    )
    kept = {_place(row): row for row in before.mappings()}
    rows = [
        _discrepancy_row(
            reconciliation_id,
            discrepancy,
            kept.pop((*discrepancy.place, discrepancy.kind.value), None),
        )
        for discrepancy in matching.discrepancies
    ]
    rows += [_settled(row) for row in kept.values() if row["notes"]]
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
            upstreams=sorted(upstreams),
        )
    )
    return await find_reconciliation(connection, reconciliation_id)


async def _match(
    connection: AsyncConnection,
    settings: Settings,
    row: RowMapping,
    options: ReconciliationOptions,
) -> tuple[Matching, set[str]]:
    """Match an import with what is metered now; return also the upstreams that this names."""
    catalog = set(await connection.scalars(select(models.c.id)))
    names = ModelNames(options.models, settings.upstreams, catalog)
    provided: dict[Place, Sums] = {}
    stored = await connection.execute(
        select(provider_entries).where(provider_entries.c.reconciliation_id == row["id"])
    )
    for entry in stored.mappings():
        model = entry["model"] if entry["model"] == ALL else names.model_of(entry["model"])
        sums = provided.setdefault((entry["day"], model, entry["meter"]), Sums())
        sums.quantity = _sum(sums.quantity, entry["quantity"])
        sums.amount = _sum(sums.amount, entry["amount"])
        if entry["tier"] and entry["amount"] is not None:
            tier = entry["tier"]
            sums.tiers[tier] = _sum(sums.tiers.get(tier), entry["amount"]) or Decimal(0)
    involved = {model for _, model, _ in provided if model != ALL}
    involved |= names.served_by(options.provider, settings.upstreams)
    zone = ZoneInfo(options.time_zone)
    metered = await metered_usage(
        connection,
        zone,
        row["first_day"],
        row["last_day"],
        involved,
        options,
        settings.upstreams,
    )
    rates = await asyncio.to_thread(load_rates, settings.cost_rates)

    def rate(day: date, model: str, meter: str, tier: str = "") -> Decimal | None:
        if row["currency"] not in (None, rates.currency):
            return None
        own = names.own_names(model)
        return rates.unit_cost(
            day, model, meter, provider=options.provider, own_names=own, tier=tier
        )

    evidence = Evidence(
        zone=zone,
        tolerance=options.tolerance,
        failed=metered.failed,
        series=metered.quarters,
        rates=rate,
        tier_rates=rate,
    )
    matching = await asyncio.to_thread(match, provided, metered.days, evidence)
    return matching, metered.upstreams


def _sum(quantity: Decimal | None, other: Decimal | None) -> Decimal | None:
    if quantity is None or other is None:
        return other if quantity is None else quantity
    with exact_arithmetic():
        return quantity + other


def _place(row: RowMapping) -> tuple[date, str, str, str]:
    return (row["day"], row["model"], row["meter"], row["kind"])


def _discrepancy_row(
    reconciliation_id: str, discrepancy: MatchedDiscrepancy, before: RowMapping | None
) -> dict[str, Any]:
    day, model, meter = discrepancy.place
    return {
        "reconciliation_id": reconciliation_id,
        "id": new_id("dsc") if before is None else before["id"],
        "day": day,
        "model": model,
        "meter": meter,
        "kind": discrepancy.kind.value,
        "provider": discrepancy.provider,
        "metered": discrepancy.metered,
        "difference": discrepancy.difference,
        "cause": discrepancy.cause.value,
        "explanation": discrepancy.explanation,
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
