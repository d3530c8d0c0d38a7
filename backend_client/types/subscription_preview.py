"""What a change of plan would do, before it is made."""

from __future__ import annotations

from pydantic import Field

from backend_client.types.common import Answer, Instant, Money
from backend_client.types.plans import Plan
from backend_client.types.spend import SpendReport


class SubscriptionPreview(Answer):
    """The present period as it is, and as the change would make it, by the usage so far.

    Fees count for the whole time that each plan would cover in the period: their lines say what is
    given back of one plan's and what the other's are. ``starts_at`` is where the change takes
    effect.
    """

    plan: Plan = Field(description="The plan as it would be after the change.")
    starts_at: Instant = Field(description="When the change would take effect.")
    before: SpendReport = Field(description="What the present period costs as it is.")
    after: SpendReport = Field(
        description="What the present period would cost with the change, by the usage so far."
    )
    difference: Money = Field(description="Of the totals; below zero if the change costs less")
