"""What bounds calls of a tenant beside its keys and its plan, read in one query."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import application_of
from backend.budgets.owners import BudgetOwner, OwnBudget
from backend.storage.tables import applications, label_budgets
from backend_client.types.accounts import Application
from backend_client.types.limits import KeyBudget, RateLimits


@dataclass(frozen=True, slots=True)
class Bounds:
    """A tenant's oldest application in use, others with limits or a budget, and labels' budgets."""

    applications: list[Application]
    label_budgets: list[OwnBudget]


async def bounds_of(connection: AsyncConnection, tenant_id: str) -> Bounds:
    """Return what bounds the tenant's calls; the oldest application comes first."""
    in_use = (applications.c.tenant_id == tenant_id, applications.c.archived_at.is_(None))
    oldest = select(func.min(applications.c.id)).where(*in_use).scalar_subquery()
    names = (*RateLimits.model_fields, "budget_amount")
    bounded = [applications.c[name].is_not(None) for name in names]
    of_models = applications.c.model_limits != cast([], JSONB)
    budgets = (
        select(
            func.jsonb_agg(
                func.jsonb_build_array(
                    label_budgets.c.id,
                    label_budgets.c.label,
                    label_budgets.c.value,
                    cast(label_budgets.c.budget_amount, Text),  # exact
                    label_budgets.c.budget_period,
                    label_budgets.c.budget_limit,
                )
            )
        )
        .where(label_budgets.c.tenant_id == tenant_id)
        .scalar_subquery()
        .label("label_budgets")
    )
    result = await connection.execute(
        select(applications, budgets)
        .where(*in_use, or_(applications.c.id == oldest, *bounded, of_models))
        .order_by(applications.c.id)
    )
    rows = result.mappings().all()
    return Bounds(
        [application_of(row) for row in rows],
        [
            OwnBudget(
                BudgetOwner("label", budget_id, (label, value)),
                KeyBudget(amount=amount, period=period, limit=limit),
            )
            for budget_id, label, value, amount, period, limit in rows[0]["label_budgets"] or []
        ],
    )
