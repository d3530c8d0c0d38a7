"""The declared meters, as they are published: for good, since events have been counted by them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import InvalidInput
from backend.storage.tables import catalog_meters, daily_rollups
from backend_client.types.meters import CatalogMeter
from backend_client.types.texts import AS_STORED

# Waits for the batches that are being counted, and holds up new ones until this commits, so that
# each event is counted by all of the meters of before or by all of those of after
_LOCK = text("LOCK TABLE catalog_meters IN ACCESS EXCLUSIVE MODE")


async def meters_on_sale(connection: AsyncConnection) -> list[CatalogMeter]:
    """Return the declared meters, in the catalog's order."""
    query = (
        select(catalog_meters.c.definition)
        .where(~catalog_meters.c.retired)
        .order_by(catalog_meters.c.position)
    )
    return [
        CatalogMeter.model_validate(definition, context=AS_STORED)
        for definition in await connection.scalars(query)
    ]


async def apply_meters(connection: AsyncConnection, wanted: Sequence[CatalogMeter]) -> list[str]:
    """Publish a catalog's meters; return the ids of those that are new, retired or come back.

    Raises ``InvalidInput`` with the field for a meter that was published with other rules, or whose
    name events have already.
    """
    rows = (await connection.execute(select(catalog_meters))).mappings().all()
    published = {row["id"]: row for row in rows}
    kept = {name for name, row in published.items() if not row["retired"]}
    names = [meter.id for meter in wanted]
    changed = [name for name in names if name not in kept]
    missing = sorted(kept.difference(names))
    if changed or missing:
        await connection.execute(_LOCK)
    for place, meter in enumerate(wanted):
        row = published.get(meter.id)
        if row is None:
            await _check_name(connection, meter.id, place)
        elif CatalogMeter.model_validate(row["definition"], context=AS_STORED) != meter:
            raise InvalidInput.of_field(
                f"meters.{place}.id",
                f"{meter.id!r} was published with other rules, by which events were counted: give "
                "the new rules another id",
            )
        elif (row["position"], row["retired"]) == (place, False):
            continue
        values = {
            "definition": meter.model_dump(mode="json"),
            "aggregation": meter.aggregation.value,
            "position": place,
            "retired": False,
        }
        await connection.execute(
            insert(catalog_meters)
            .values(id=meter.id, **values)
            .on_conflict_do_update(index_elements=[catalog_meters.c.id], set_=values)
        )
    if missing:
        await connection.execute(
            update(catalog_meters).where(catalog_meters.c.id.in_(missing)).values(retired=True)
        )
    return [*changed, *missing]


async def _check_name(connection: AsyncConnection, name: str, place: int) -> None:
    counted = exists().where(daily_rollups.c.meter == name)
    if await connection.scalar(select(counted)):
        raise InvalidInput.of_field(
            f"meters.{place}.id",
            f"events that were counted have a meter {name!r} already: choose another id",
        )
