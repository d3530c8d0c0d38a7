"""What usage cost over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from pydantic import Field

from backend_client.types.common import Answer, Exact, Instant
from backend_client.types.usage import Granularity


class CostDimension(StrEnum):
    """What the cost of usage can be grouped by, beside time."""

    APPLICATION = "application"
    KEY = "key"
    MODEL = "model"
    METER = "meter"


class CostQuery(TypedDict, total=False):
    """Of which usage to ask for the cost, and how: as for usage.

    ``start`` is the billing period's if left out, ``end`` (exclusive) now; both are on quarter
    hours (UTC). Days and months are those of ``time_zone``, or else of the tenant's. Of several
    values of a field any may hold; of ``label``, the values by name, all must. ``group_by_label``
    takes up to five of the tenant's declared labels.
    """

    start: datetime | None
    end: datetime | None
    granularity: Granularity
    time_zone: str | None
    group_by: Iterable[CostDimension]
    group_by_label: Sequence[str]
    application: Sequence[str]
    key: Sequence[str]
    model: Sequence[str]
    meter: Sequence[str]
    label: Mapping[str, str]


class CostRow(Answer):
    """What usage in one bucket added to the bill, unrounded. A dimension not grouped by is null.

    It is below zero where more usage made earlier usage cheaper.
    """

    start: Instant
    application: str | None = None
    key: str | None = None
    model: str | None = None
    meter: str | None = None
    labels: dict[str, str | None] = Field(
        {}, description="Those that were grouped by, by name; null for usage without the label"
    )
    amount: Exact


class CostReport(Answer):
    """Rows ordered by start, then dimensions; ``version`` is that of the tenant's usage.

    A period's rows add up to its lines for usage. Fees, minimums, discounts, coupons and tax are no
    usage's, and are not in it.
    """

    start: Instant
    end: Instant
    granularity: Granularity
    time_zone: str
    currency: str
    rows: list[CostRow]
    version: int
