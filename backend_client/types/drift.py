"""How far what providers report is from what the model's own tokenizer counts."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from backend_client.types.common import Answer, Exact, Instant


class DriftRow(Answer):
    """A day (UTC) of a model and meter, over all tenants.

    ``ratio`` is what was reported beyond the count, as a part of the count: ``0.02`` is 2 % more;
    null where nothing was counted. Cached tokens are part of the input here.
    """

    day: date = Field(description="The day, in UTC.")
    model: str
    meter: str
    reported: Exact = Field(description="What providers reported, in units of the meter.")
    counted: Exact = Field(description="What the model's own tokenizer counted of the same calls.")
    events: int = Field(description="How many events have both numbers.")
    ratio: Exact | None = Field(
        description="How far the report is beyond the count, as a part of the count: `0.02` "
        "is 2% more; null where nothing was counted."
    )
    computed_at: Instant


class ModelDrift(Answer):
    """A model and meter over all days asked for. ``alert``: the ratio is beyond the tolerance."""

    model: str
    meter: str
    reported: Exact = Field(
        description="What providers reported over all days, in units of the meter."
    )
    counted: Exact = Field(description="What the model's own tokenizer counted of the same calls.")
    events: int = Field(description="How many events have both numbers.")
    ratio: Exact | None = Field(
        description="How far the report is beyond the count, as a part of the count; null "
        "where nothing was counted."
    )
    alert: bool = Field(
        description="Whether the ratio is beyond the tolerance, in either direction."
    )


class DriftReport(Answer):
    """Drift from ``start`` to ``end`` (exclusive), by day and over all days."""

    start: date
    end: date
    tolerance: Exact = Field(
        description="How far a report may be from the count before it alerts, as a part of "
        "the count."
    )
    models: list[ModelDrift] = Field(description="Each model and meter over all days.")
    rows: list[DriftRow] = Field(description="Each model and meter by day.")
