"""Limits and budgets of a customer's applications and labels, as the operator sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from backend_client import AsyncFareboxClient
from backend_client.types.accounts import Application
from backend_client.types.limits import KeyBudgetUse, LabelBudget
from portal.shared.bounds import words
from portal.shared.bounds.uses import budget_uses

MOST = 20
"""Budgets of applications whose use is read, and of labels: each is a request."""
MOST_WITHOUT = 100
"""Applications without a budget that are shown, which can be given one."""


@dataclass(frozen=True)
class BoundRow:
    """What bounds calls of an application, or of a label's value, whose ``id`` is the budget's."""

    id: str
    name: str
    kind: str
    limits: str
    used: str
    part: int = 0
    over: bool = False


async def read_bounds(
    client: AsyncFareboxClient, tenant: str, applications: Sequence[Application]
) -> tuple[list[BoundRow], bool]:
    """What bounds a customer's calls, and whether more does than these rows say.

    Raises:
        ClientError: a use could not be read.
    """
    budgets = (await client.label_budgets.list(tenant=tenant, limit=MOST + 1).page()).items
    shown, labels, more = most_shown(applications, budgets)
    used_of, used_by = client.applications.budget, client.label_budgets.use
    uses = await budget_uses(
        {each.id: partial(used_of, each.id, tenant=tenant) for each in shown if each.budget}
        | {each.id: partial(used_by, each.id, tenant=tenant) for each in labels}
    )
    return bound_rows(shown, labels, uses), more


def most_shown(
    applications: Sequence[Application], budgets: Sequence[LabelBudget]
) -> tuple[list[Application], list[LabelBudget], bool]:
    """Those with a budget, with limits alone and the rest in use, and labels' budgets.

    And whether there are more.
    """
    budgeted = [each for each in applications if each.budget is not None]
    others = [
        each
        for each in applications
        if each.budget is None and (_limits(each) or each.archived_at is None)
    ]
    others.sort(key=lambda each: not _limits(each))
    shown, labels = [*budgeted[:MOST], *others[:MOST_WITHOUT]], list(budgets[:MOST])
    more = len(shown) < len(budgeted) + len(others) or len(labels) < len(budgets)
    return shown, labels, more


def bound_rows(
    applications: Sequence[Application],
    budgets: Sequence[LabelBudget],
    uses: Mapping[str, KeyBudgetUse],
) -> list[BoundRow]:
    """A row for each application, and for each budget of a label."""
    return [
        *(
            _row(each.id, each.name, "Application", _limits(each), uses.get(each.id))
            for each in applications
        ),
        *(
            _row(each.id, f"{each.label} = {each.value}", "Label", "", uses.get(each.id))
            for each in budgets
        ),
    ]


def _limits(application: Application) -> str:
    return words.all_limits_text(application.limits, application.model_limits)


def _row(row_id: str, name: str, kind: str, limits: str, use: KeyBudgetUse | None) -> BoundRow:
    if use is None:
        return BoundRow(row_id, name, kind, limits, "")
    over, part = use.remaining == 0, words.budget_part(use)
    return BoundRow(row_id, name, kind, limits, words.budget_text(use), part, over)
