"""Spend: the running billing period by line, its forecast, and the tenant's plan.

Amounts are what the period would be billed at if it ended now. Does not own invoices.
"""

from __future__ import annotations

from portal.features.spend.page import page
from portal.features.spend.plan_state import Plans
from portal.features.spend.state import Spend
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/spend",
    title="Spend",
    icon="receipt",
    page=page,
    group=Group.BILLING,
    words="cost plan forecast bill",
    on_load=(
        Spend.watch,
        Plans.load,
    ),
)
