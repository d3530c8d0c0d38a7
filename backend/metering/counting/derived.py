"""The meters that the catalog declares: made of each event when it is counted, kept with it.

Here and nowhere else, so that an event has them whichever way it came. A published meter never
changes, so what an event has of it is true for good: a correction takes off what was counted, and
a rebuild sums it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Final

import asyncpg
import msgspec

from backend.metering.events import AcceptedEvent
from backend.pricing.charges.meters import value_of
from backend_client.types.meters import Aggregation, CatalogMeter
from backend_client.types.texts import AS_STORED

# Taken before anything of a batch is written. Publishing a meter locks the table against this, so
# that no event counts a meter's name as something else while it is published.
_METERS = "SELECT definition::text, retired FROM catalog_meters ORDER BY id"


@dataclass(frozen=True, slots=True)
class Meters:
    """The declared meters. ``derived`` are made of new events; ``names`` are all there ever were.

    ``valued`` are those of ``names`` that are not summed.
    """

    derived: tuple[CatalogMeter, ...] = ()
    names: frozenset[str] = frozenset()
    valued: Mapping[str, CatalogMeter] = field(default_factory=dict)

    def with_derived(self, event: AcceptedEvent) -> AcceptedEvent:
        """Return an event with what it has of the meters, whatever its sender said of them."""
        if not self.names:
            return event
        sent = event.quantities
        quantities = sent
        if not self.names.isdisjoint(sent):
            quantities = {meter: sent[meter] for meter in sent if meter not in self.names}
        added: dict[str, Decimal] = {}
        for meter in self.derived:
            value = value_of(meter, event.model, event.labels, quantities)
            if value is not None:
                added[meter.id] = value
        if not added and quantities is sent:
            return event
        return msgspec.structs.replace(event, quantities=quantities | added)


NO_METERS: Final = Meters()


async def declared_meters(connection: asyncpg.Connection) -> Meters:
    """Return the meters that the catalog declares now, and those it has ever declared."""
    rows = await connection.fetch(_METERS)
    return _meters(tuple(map(tuple, rows))) if rows else NO_METERS


@lru_cache(maxsize=8)
def _meters(rows: Iterable[tuple[str, bool]]) -> Meters:
    """Return the meters of rows, which are the same for a long time."""
    meters = [
        (CatalogMeter.model_validate_json(text, context=AS_STORED), retired)
        for text, retired in rows
    ]
    return Meters(
        tuple(meter for meter, retired in meters if not retired),
        frozenset(meter.id for meter, _ in meters),
        {meter.id: meter for meter, _ in meters if meter.aggregation is not Aggregation.SUM},
    )
