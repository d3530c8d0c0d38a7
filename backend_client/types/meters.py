"""Meters that the catalog declares: what Farebox itself makes of each event."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from backend_client.types.charges import Percent, Units, check_limits, refuse
from backend_client.types.common import Exact, Wire
from backend_client.types.events import METERS, LabelName, LabelValue, MeterName, Name
from backend_client.types.texts import Title


class Aggregation(StrEnum):
    """What a period makes of the values that its events have of a meter.

    Their sum, the highest, the last by the events' time, or how many different ones there were.
    """

    SUM = "sum"
    MAX = "max"
    LAST = "last"
    UNIQUE = "unique"


class CatalogMeter(Wire):
    """A meter that Farebox makes of each event while it counts it, and keeps with the event.

    The event has the sum of the meters in ``of``; an event without any of them has nothing of this
    meter. ``models`` and ``labels`` limit it to events of these models (null: all) with all of
    these labels.

    With ``aggregation`` sum each event's own value is changed first, in this order: rounded up to
    the next whole ``step``, made ``percent`` of it, raised by ``fixed``, and held between
    ``minimum`` and ``maximum``. So a call can cost a least or a most, which a period's sum no
    longer shows.

    With max and last the ``label`` may be given: then each of its values has a highest or last
    value of its own, and they are added. With unique the ``label`` is what is counted; ``of`` may
    be left out, and all events with that label count.

    A meter that was published never changes: other rules need another id. It counts events that
    are counted from then on.
    """

    id: MeterName = Field(
        description="The meter's own name, which charges and reports use; it must be none of "
        "Farebox's own."
    )
    name: Title = Field(min_length=1, max_length=200, description="What people read it as.")
    aggregation: Aggregation = Field(
        Aggregation.SUM,
        description="What a period makes of its events' values: their `sum`, the `max`, the "
        "`last` by time, or how many different ones there were (`unique`).",
    )
    of: list[MeterName] = Field(
        [],
        max_length=20,
        description="The meters whose sum an event's value is; an event that has none of them "
        "has nothing of this one.",
    )
    models: list[Name] | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="The models whose events it counts; null for all.",
    )
    labels: dict[LabelName, LabelValue] = Field(
        {},
        max_length=4,
        description="Labels that events must have, all of them with these values, to count; "
        "empty for any.",
    )
    label: LabelName | None = Field(
        None,
        description="Of `max` and `last`, the label each of whose values has one of its own, "
        "which are added; of `unique`, what is counted. Null of a sum.",
    )
    step: Annotated[Exact, Field(gt=0, max_digits=24, decimal_places=9)] | None = Field(
        None,
        description="What each event's value is rounded up to a multiple of, first of all; "
        "null for no rounding.",
    )
    percent: Percent | None = Field(
        None, description="How many percent of the rounded value count; null for all of it."
    )
    fixed: Units = Field(Decimal(0), description="What is added to each event's value after that.")
    minimum: Units | None = Field(
        None, description="The least that an event counts for; null for no bound."
    )
    maximum: Units | None = Field(
        None, description="The most that an event counts for; null for no bound."
    )

    @model_validator(mode="after")
    def _is_of_other_meters(self) -> Self:
        if self.id in METERS:
            refuse("is one of Farebox's own meters", "id")
        for place, meter in enumerate(self.of):
            if meter in self.of[:place]:
                refuse(f"{meter!r} is given twice", "of", place)
        if not self.of and self.aggregation is not Aggregation.UNIQUE:
            refuse("name at least one meter", "of")
        check_limits(self.minimum, self.maximum)
        return self

    @model_validator(mode="after")
    def _rules_fit_the_aggregation(self) -> Self:
        if self.aggregation is Aggregation.SUM:
            if self.label is not None:
                refuse("a sum has no label: the rollups have them", "label")
            return self
        for rule in ("step", "percent", "minimum", "maximum"):
            if getattr(self, rule) is not None:
                refuse("changes the values of a sum only", rule)
        if self.fixed:
            refuse("changes the values of a sum only", "fixed")
        if self.aggregation is Aggregation.UNIQUE and self.label is None:
            refuse("say which label's values are counted", "label")
        return self
