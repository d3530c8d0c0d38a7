"""Query parameters, as the API reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from backend_client.types.calls import CallsQuery
from backend_client.types.common import plain
from backend_client.types.cost import CostQuery
from backend_client.types.events import EventFilter
from backend_client.types.requests import RequestFilter
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
        time_zone=usage.get("time_zone"),
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


def calls_query(calls: CallsQuery) -> Params:
    """Write a question about calls."""
    return query(
        start=calls.get("start"),
        end=calls.get("end"),
        granularity=calls.get("granularity", Granularity.DAY),
        time_zone=calls.get("time_zone"),
        group_by=calls.get("group_by"),
        application=calls.get("application"),
        key=calls.get("key"),
        model=calls.get("model"),
        status=calls.get("status"),
        cause=calls.get("cause"),
    )


def cost_query(cost: CostQuery) -> Params:
    """Write a question about what usage cost."""
    return query(
        start=cost.get("start"),
        end=cost.get("end"),
        granularity=cost.get("granularity", Granularity.DAY),
        time_zone=cost.get("time_zone"),
        group_by=cost.get("group_by"),
        group_by_label=cost.get("group_by_label"),
        application=cost.get("application"),
        key=cost.get("key"),
        model=cost.get("model"),
        meter=cost.get("meter"),
        label=_labels(cost.get("label", {})),
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


def requests_query(
    requests: RequestFilter, *, limit: int | None = None, cursor: str | None = None
) -> Params:
    """Write which calls of the log are wanted."""
    return query(
        start=requests.get("start"),
        end=requests.get("end"),
        outcome=requests.get("outcome"),
        status=requests.get("status"),
        code=requests.get("code"),
        model=requests.get("model"),
        key=requests.get("key"),
        application=requests.get("application"),
        upstream=requests.get("upstream"),
        min_duration_ms=requests.get("min_duration_ms"),
        request_id=requests.get("request_id"),
        event_id=requests.get("event_id"),
        label=_labels(requests.get("label", {})),
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
