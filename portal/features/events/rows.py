"""The newest events, and what the filters offer. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable

from backend_client.types.events import StoredEvent
from backend_client.types.usage import UsageReport
from portal.kit.choice import Choice
from portal.kit.formatting import meter_name
from portal.shared.events.rows import (
    in_order,
)

SHOWN = 50


def newest(events: Iterable[StoredEvent]) -> tuple[list[StoredEvent], bool]:
    """The first page of ``events`` as the API orders them; and whether any is left for the next."""
    in_time = sorted(events, key=lambda event: (event.time, event.source, event.id), reverse=True)
    return in_time[:SHOWN], len(in_time) > SHOWN


def models_and_meters(report: UsageReport | None) -> tuple[list[Choice], list[Choice]]:
    """The models and meters that there is usage of, to choose from."""
    rows = [] if report is None else report.rows
    models = sorted({row.model for row in rows if row.model})
    meters = in_order({row.meter: row for row in rows})
    return [Choice(model, model) for model in models], [
        Choice(meter, meter_name(meter)) for meter in meters
    ]
