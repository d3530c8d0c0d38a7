"""A budget as a row of a key, an application or a label's value has it."""

from __future__ import annotations

from sqlalchemy import RowMapping

from backend_client.types.limits import KeyBudget


def budget_of(row: RowMapping) -> KeyBudget | None:
    """Return the budget that a row has."""
    if row["budget_amount"] is None:
        return None
    return KeyBudget(
        amount=row["budget_amount"], period=row["budget_period"], limit=row["budget_limit"]
    )


def budget_values(budget: KeyBudget | None) -> dict[str, object]:
    """Return the columns of a row with a budget, or with none."""
    return {
        "budget_amount": None if budget is None else budget.amount,
        "budget_period": None if budget is None else budget.period,
        "budget_limit": None if budget is None else budget.limit,
    }
