"""Limits and budgets of a customer's applications and labels, as the operator sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend_client import AsyncFareboxClient
from backend_client.types.accounts import Application
from backend_client.types.limits import KeyBudgetUse, LabelBudget
from portal.shared.bounds import words

MOST_LABELS = 20
"""Whose use is read: each is a request."""


@dataclass(frozen=True)
class BoundRow:
    """What bounds calls of an application, or of a label's value."""

    name: str
    kind: str
    limits: str
    used: str
    part: int = 0
    over: bool = False


async def read_bounds(
    client: AsyncFareboxClient, tenant: str, applications: Sequence[Application]
) -> tuple[list[BoundRow], bool]:
    """What bounds a customer's calls, and whether it has more budgets of labels than these."""
    budgets = list(await client.label_budgets.list(tenant=tenant, limit=200).all())
    shown = budgets[:MOST_LABELS]
    spent = [each for each in applications if each.budget is not None]
    uses = await asyncio.gather(
        *(client.applications.budget(each.id, tenant=tenant) for each in spent),
        *(client.label_budgets.use(each.id, tenant=tenant) for each in shown),
        return_exceptions=True,
    )
    owners = [*(each.id for each in spent), *(each.id for each in shown)]
    by_id = {
        owner: use
        for owner, use in zip(owners, uses, strict=True)
        if isinstance(use, KeyBudgetUse)  # not of one that was removed meanwhile
    }
    return bound_rows(applications, shown, by_id), len(budgets) > len(shown)


def bound_rows(
    applications: Sequence[Application],
    budgets: Sequence[LabelBudget],
    uses: Mapping[str, KeyBudgetUse],
) -> list[BoundRow]:
    """A row for each application with limits or a budget, and for each budget of a label."""
    return [
        *(
            _row(each.name, "Application", limits, uses.get(each.id))
            for each in applications
            if (limits := words.all_limits_text(each.limits, each.model_limits)) or each.budget
        ),
        *(_row(f"{each.label} = {each.value}", "Label", "", uses.get(each.id)) for each in budgets),
    ]


def _row(name: str, kind: str, limits: str, use: KeyBudgetUse | None) -> BoundRow:
    if use is None:
        return BoundRow(name, kind, limits, "")
    over = use.remaining == 0
    return BoundRow(name, kind, limits, words.budget_text(use), words.budget_part(use), over)
