"""Usage over time, as summed from rollups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from pydantic import Field

from backend_client.types.common import Answer, Exact, Instant


class Granularity(StrEnum):
    """Width of a time bucket; days and months are the tenant's, in its time zone."""

    QUARTER_HOUR = "quarter_hour"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class UsageDimension(StrEnum):
    """What usage can be grouped by, beside time; by ``upstream`` for the operator alone."""

    APPLICATION = "application"
    KEY = "key"
    MODEL = "model"
    METER = "meter"
    UPSTREAM = "upstream"


class UsageQuery(TypedDict, total=False):
    """Which usage to sum, and how.

    ``start`` is the billing period's if left out, ``end`` (exclusive) after the newest event;
    both are on quarter hours (UTC), and what is between them is summed exactly. ``granularity`` is
    a day; days and months are those of ``time_zone``, or else of the tenant's. Usage is always
    grouped by meter. ``group_by_label`` takes up to five of the tenant's declared labels. Of
    several values of a field any may hold; of ``label``, the values by name, all must. Only the
    operator may ask for an ``upstream``; an empty one is usage that names none.
    """

    start: datetime | None
    end: datetime | None
    granularity: Granularity
    time_zone: str | None
    group_by: Iterable[UsageDimension]
    group_by_label: Sequence[str]
    application: Sequence[str]
    key: Sequence[str]
    model: Sequence[str]
    upstream: Sequence[str]
    meter: Sequence[str]
    label: Mapping[str, str]


class UsageRow(Answer):
    """Usage in one bucket. A dimension that was not grouped by is null."""

    start: Instant
    meter: str
    application: str | None = None
    key: str | None = None
    model: str | None = None
    upstream: str | None = None
    labels: dict[str, str | None] = Field({}, description="Those that were grouped by")
    quantity: Exact
    event_count: int


class UsageVersion(Answer):
    """How far a tenant's usage has changed: ``version`` grows with every change to it.

    ``last_event_at`` is the newest event's receipt.
    """

    version: int = Field(description="Grows with every change to the tenant's usage.")
    last_event_at: Instant | None


class UsageReport(Answer):
    """Rows ordered by start, then dimensions; quantities of different meters are never added.

    ``version`` grows with every change to the tenant's usage, and is in the answer's ETag.
    ``last_event_at`` is the newest event's receipt.
    """

    start: Instant
    end: Instant
    granularity: Granularity
    time_zone: str
    rows: list[UsageRow]
    version: int
    last_event_at: Instant | None
