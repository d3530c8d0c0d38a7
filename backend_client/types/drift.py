"""How far what providers report is from what the model's own tokenizer counts."""

from __future__ import annotations

from datetime import date

from backend_client.types.common import Answer, Exact, Instant


class DriftRow(Answer):
    """A day (UTC) of a model and meter, over all tenants.

    ``ratio`` is what was reported beyond the count, as a part of the count: ``0.02`` is 2 % more;
    null where nothing was counted. Cached tokens are part of the input here.
    """

    day: date
    model: str
    meter: str
    reported: Exact
    counted: Exact
    events: int
    ratio: Exact | None
    computed_at: Instant


class ModelDrift(Answer):
    """A model and meter over all days asked for. ``alert``: the ratio is beyond the tolerance."""

    model: str
    meter: str
    reported: Exact
    counted: Exact
    events: int
    ratio: Exact | None
    alert: bool


class DriftReport(Answer):
    """Drift from ``start`` to ``end`` (exclusive), by day and over all days."""

    start: date
    end: date
    tolerance: Exact
    models: list[ModelDrift]
    rows: list[DriftRow]
