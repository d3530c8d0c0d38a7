"""Overview: spend so far and ahead, today's usage, quotas, and the first steps.

"Today" and "this month" are the tenant's, by its time zone.
"""

from __future__ import annotations

from portal import routes
from portal.features.overview.page import page
from portal.features.overview.state import Overview
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.OVERVIEW,
    title="Overview",
    icon="layout-dashboard",
    page=page,
    group=Group.START,
    words="home dashboard start",
    on_load=(Overview.watch,),
)
