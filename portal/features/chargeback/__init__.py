"""Chargeback: statements of departments month by month, and the departments with their rules.

For the tenant's finance people; developers see it, and change nothing.
"""

from __future__ import annotations

from portal.features.chargeback.downloads import DOWNLOADS
from portal.features.chargeback.page import page
from portal.features.chargeback.policy_state import Policies
from portal.features.chargeback.state import Chargeback
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/chargeback",
    title="Chargeback",
    icon="network",
    page=page,
    group=Group.BILLING,
    words="departments cost centers allocation",
    on_load=(Chargeback.load, Policies.load),
    routes=DOWNLOADS,
)
