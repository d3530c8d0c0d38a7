"""Forecasts as they are kept: when one is fresh, when it may still be shown, and when not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.billing.spend import spend_version
from backend.storage.tables import forecasts
from backend_client.types.accounts import Tenant
from backend_client.types.spend import Forecast

FRESH_SECONDS: Final = 15
"""So long a forecast is fresh though usage moved on: it moves on all the time."""
_UNCHANGED_FRESH = timedelta(minutes=15)
_SHOWN = timedelta(days=1)

State = Literal["fresh", "stale", "none"]


@dataclass(frozen=True, slots=True)
class Basis:
    """What a forecast rests on: the usage's version, and a word for the period and its plans."""

    usage: int
    plans: str


async def basis_now(connection: AsyncConnection, tenant: Tenant, now: datetime) -> Basis:
    """Return what a forecast that is made now would rest on."""
    usage, _, plans = (await spend_version(connection, tenant, now)).partition("-")
    return Basis(int(usage), plans)


async def stored_forecast(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> tuple[Forecast | None, State]:
    """Return the tenant's forecast and how good it still is.

    ``fresh``: usage is what it was and it is at most a quarter hour old, or it is 15 seconds old
    at most. ``stale``: made today or yesterday, in this period, on these plans: it can be shown while
    the next is made. ``none``: there is none to show.
    """
    basis = await basis_now(connection, tenant, now)
    found = await connection.execute(select(forecasts).where(forecasts.c.tenant_id == tenant.id))
    row = found.mappings().first()
    if row is None or row["document"]["plans"] != basis.plans or now - row["computed_at"] > _SHOWN:
        return None, "none"
    age = now - row["computed_at"]
    limit = _UNCHANGED_FRESH if row["usage_version"] == basis.usage else None
    fresh = age <= timedelta(seconds=FRESH_SECONDS) or (limit is not None and age <= limit)
    return Forecast.model_validate(row["document"]["forecast"]), "fresh" if fresh else "stale"


async def store_forecast(
    connection: AsyncConnection, tenant_id: str, forecast: Forecast, basis: Basis
) -> None:
    """Keep a forecast in place of the one before; a newer one stays."""
    values = {
        "usage_version": forecast.version,
        "computed_at": forecast.computed_at,
        "document": {"plans": basis.plans, "forecast": forecast.model_dump(mode="json")},
    }
    made = insert(forecasts).values(tenant_id=tenant_id, **values)
    await connection.execute(
        made.on_conflict_do_update(
            index_elements=["tenant_id"],
            set_=values,
            where=forecasts.c.computed_at < made.excluded.computed_at,
        )
    )
