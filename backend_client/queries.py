"""Query parameters, as the API reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from backend_client.types.common import plain
from backend_client.types.events import EventFilter
from backend_client.types.usage import Granularity, UsageDimension, UsageQuery

Params = Mapping[str, str | int | list[str]]
Value = str | int | bool | Decimal | date | Iterable[str] | Iterable[int] | None


def query(**values: Value) -> Params:
    """Write query parameters; what is None or has no member is left out."""
    written = {name: _write(value) for name, value in values.items() if value is not None}
    return {name: value for name, value in written.items() if value != []}


def usage_query(usage: UsageQuery) -> Params:
    """Write a question about usage."""
    dimensions = usage.get("group_by", ())
    return query(
        start=usage.get("start"),
        end=usage.get("end"),
        granularity=usage.get("granularity", Granularity.DAY),
        # Always grouped by the meter: quantities of different meters are never added.
        group_by=[name for name in dimensions if name is not UsageDimension.METER],
        group_by_label=usage.get("group_by_label"),
        application=usage.get("application"),
        key=usage.get("key"),
        model=usage.get("model"),
        upstream=usage.get("upstream"),
        meter=usage.get("meter"),
        label=_labels(usage.get("label", {})),
    )


def event_query(
    events: EventFilter, *, limit: int | None = None, cursor: str | None = None
) -> Params:
    """Write which events to list."""
    return query(
        start=events.get("start"),
        end=events.get("end"),
        sender=events.get("sender"),
        source=events.get("source"),
        id=events.get("event_id"),
        application=events.get("application"),
        key=events.get("key"),
        model=events.get("model"),
        upstream=events.get("upstream"),
        meter=events.get("meter"),
        label=_labels(events.get("label", {})),
        limit=limit,
        cursor=cursor,
    )


def _write(value: Value) -> str | int | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # also a member of a StrEnum
        return str(value)
    if isinstance(value, int):
        return value
    if isinstance(value, date):  # also a datetime
        return value.isoformat()
    if isinstance(value, Decimal):
        return plain(value)
    return [str(member) for member in value or ()]


def _labels(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]
