"""The chance that the period's spend passes a budget, from the stored forecast."""

from __future__ import annotations

from decimal import Decimal

from backend.forecasting.crossing import passing
from backend.forecasting.store import Stored
from backend_client.types.common import Money
from backend_client.types.spend import BudgetOutlook


def budget_outlook(stored: Stored, amount: Decimal) -> BudgetOutlook:
    """Return the chance of spending more than ``amount``, and when.

    If it has passed the budget already, the day is that of the passing.
    """
    forecast = stored.forecast
    actual = [(day.day, day.actual) for day in forecast.days if day.actual is not None]
    spent = actual[-1][1]
    days, peaks = zip(*stored.peaks, strict=True)
    crossing = passing(days, peaks, amount)
    over = next((day for day, total in actual if total > amount), None)
    currency = forecast.expected.currency
    return BudgetOutlook(
        budget=Money(amount=amount, currency=currency),
        spent=Money(amount=spent, currency=currency),
        chance=crossing.chance if over is None else 1.0,
        early=over or crossing.early,
        likely=over or crossing.likely,
        computed_at=forecast.computed_at,
    )
