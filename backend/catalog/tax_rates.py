"""The published rates of tax, kept for as long as invoices carry them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NoReturn

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import InvalidInput
from backend.storage.tables import invoices, tax_rates
from backend_client.types.taxes import CatalogTax
from backend_client.types.texts import AS_STORED


async def tax_table(connection: AsyncConnection) -> list[CatalogTax]:
    """Return every published rate, in the catalog's order, expired ones included."""
    query = select(tax_rates.c.definition).order_by(tax_rates.c.position, tax_rates.c.id)
    return [
        CatalogTax.model_validate(definition, context=AS_STORED)
        for definition in await connection.scalars(query)
    ]


async def apply_taxes(
    connection: AsyncConnection, wanted: Sequence[CatalogTax], today: date
) -> list[str]:
    """Publish the rates of a catalog; return the ids of the new, changed and removed ones.

    Of a rate that invoices carry only the last day may change, to one not before the last
    invoice's. Once it has expired the catalog may leave it out, and it is kept. Other rates follow
    the catalog. Raises ``InvalidInput`` with the fields.
    """
    published = {tax.id: tax for tax in await tax_table(connection)}
    kept = await _left_out(connection, published, wanted, today)
    changed = []
    for index, tax in enumerate(wanted):
        for other in kept:
            if tax.doubles(other):
                _refuse(f"taxes.{index}", f"is the same tax as {other.id!r}, which invoices carry")
        old = published.get(tax.id)
        if old is not None and old != tax:
            await _check_change(connection, old, tax, index)
        if old != tax:
            changed.append(tax.id)
        values = {"definition": tax.model_dump(mode="json"), "position": index}
        await connection.execute(
            insert(tax_rates)
            .values(id=tax.id, **values)
            .on_conflict_do_update(
                index_elements=[tax_rates.c.id],
                set_=values,
                where=tax_rates.c.definition.is_distinct_from(values["definition"])
                | (tax_rates.c.position != index),
            )
        )
    removed_ids = sorted(published.keys() - {tax.id for tax in wanted} - {tax.id for tax in kept})
    if removed_ids:
        await connection.execute(delete(tax_rates).where(tax_rates.c.id.in_(removed_ids)))
    if kept:  # behind those of the catalog, whose positions start at 0
        await connection.execute(
            update(tax_rates)
            .where(tax_rates.c.id.in_([tax.id for tax in kept]))
            .values(position=len(wanted))
        )
    return [*changed, *removed_ids]


async def _left_out(
    connection: AsyncConnection,
    published: dict[str, CatalogTax],
    wanted: Sequence[CatalogTax],
    today: date,
) -> list[CatalogTax]:
    """Return the rates that the catalog leaves out and that are kept: they are on invoices."""
    kept = []
    for tax_id in sorted(published.keys() - {tax.id for tax in wanted}):
        tax = published[tax_id]
        if await _last_used(connection, tax_id) is None:
            continue
        if tax.valid_until is None or tax.valid_until >= today:
            detail = f"leave out {tax_id!r}, which invoices carry: give it a valid_until instead"
            _refuse("taxes", detail)
        kept.append(tax)
    return kept


async def _check_change(
    connection: AsyncConnection, old: CatalogTax, new: CatalogTax, index: int
) -> None:
    last = await _last_used(connection, old.id)
    if last is None:
        return
    if old.model_copy(update={"valid_until": new.valid_until}) != new:
        detail = "is on invoices, so only its valid_until may change: add one with an id of its own"
        _refuse(f"taxes.{index}", detail)
    if new.valid_until is not None and new.valid_until < last:
        _refuse(f"taxes.{index}.valid_until", f"is before {last}, for which an invoice has it")


async def _last_used(connection: AsyncConnection, tax_id: str) -> date | None:
    """Return the last tax date of the invoices that carry a rate."""
    query = select(func.max(invoices.c.tax_date)).where(
        invoices.c.taxes.contains([{"rate_id": tax_id}])
    )
    last: date | None = await connection.scalar(query)
    return last


def _refuse(field: str, detail: str) -> NoReturn:
    raise InvalidInput.of_field(field, detail)
