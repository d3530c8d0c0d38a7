"""Stored forecasts: when one is fresh, when it may still be shown, and when not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import cast, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.forecasting.forecast import Outcome
from backend.spend.queries import spend_version
from backend.storage.tables import forecasts
from backend_client.types.accounts import Tenant
from backend_client.types.spend import Forecast, Trust

_FORMAT: Final = 1
"""Increased when the stored form changes: older forecasts are computed again, not migrated."""

FRESH_SECONDS: Final = 15
"""How long a forecast is fresh although usage has changed, which it does all the time."""
_UNCHANGED_FRESH = timedelta(minutes=15)
_SHOWN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """A forecast that can be shown. One that is not ``fresh`` should be computed again.

    ``peaks`` are as in ``Outcome``; ``tested_at`` is when its trust was last computed.
    """

    forecast: Forecast
    peaks: Sequence[tuple[datetime, Sequence[Decimal]]]
    fresh: bool
    tested_at: datetime | None


@dataclass(frozen=True, slots=True)
class Basis:
    """What a forecast depends on: the usage's version, and a digest of the period and its plans."""

    usage: int
    plans: str


async def basis_now(connection: AsyncConnection, tenant: Tenant, now: datetime) -> Basis:
    """Return what a forecast that is computed now would depend on."""
    usage, _, plans = (await spend_version(connection, tenant, now)).partition("-")
    return Basis(int(usage), plans)


async def stored_forecast(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> Stored | None:
    """Return the tenant's forecast; None if there is none to show.

    It is shown for a day, in its period, on the plans that it was computed for. It is fresh if
    usage is unchanged and it is at most a quarter hour old, or if it is 15 seconds old at most.
    """
    basis = await basis_now(connection, tenant, now)
    result = await connection.execute(select(forecasts).where(forecasts.c.tenant_id == tenant.id))
    row = result.mappings().first()
    if row is None or now - row["computed_at"] > _SHOWN:
        return None
    document = row["document"]
    if document.get("format") != _FORMAT or document["plans"] != basis.plans:
        return None
    unchanged = row["usage_version"] == basis.usage
    limit = _UNCHANGED_FRESH if unchanged else timedelta(seconds=FRESH_SECONDS)
    tested_at = document.get("tested_at")
    return Stored(
        Forecast.model_validate({**document["forecast"], "trust": document.get("trust")}),
        [
            (datetime.fromisoformat(day), [Decimal(peak) for peak in peaks])
            for day, peaks in document["peaks"]
        ],
        now - row["computed_at"] <= limit,
        None if tested_at is None else datetime.fromisoformat(tested_at),
    )


async def store_forecast(
    connection: AsyncConnection, tenant_id: str, outcome: Outcome, basis: Basis
) -> None:
    """Store a forecast in place of an older one; a newer one stays."""
    forecast = outcome.forecast
    document = {
        "format": _FORMAT,
        "plans": basis.plans,
        "forecast": forecast.model_dump(mode="json", exclude={"trust"}),
        "peaks": [(day.isoformat(), [str(peak) for peak in peaks]) for day, peaks in outcome.peaks],
    }
    statement = insert(forecasts).values(
        tenant_id=tenant_id,
        usage_version=forecast.version,
        computed_at=forecast.computed_at,
        document=document,
    )
    new = statement.excluded
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={
                "usage_version": new.usage_version,
                "computed_at": new.computed_at,
                # Their trust stays
                "document": forecasts.c.document.op("||")(new.document),
            },
            where=forecasts.c.computed_at < new.computed_at,
        )
    )


async def store_trust(
    connection: AsyncConnection, tenant_id: str, trust: Trust | None, now: datetime
) -> None:
    """Store with the tenant's forecast how far to trust it, None if that is unknown."""
    document = {
        "trust": None if trust is None else trust.model_dump(mode="json"),
        "tested_at": now.isoformat(),
    }
    merged = forecasts.c.document.op("||")(cast(document, JSONB))
    await connection.execute(
        update(forecasts).where(forecasts.c.tenant_id == tenant_id).values(document=merged)
    )
