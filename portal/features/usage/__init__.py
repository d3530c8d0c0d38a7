"""Usage: a chart of what was used when and by what, live, and the same as CSV.

Buckets are the tenant's wall clock.
"""

from __future__ import annotations

from portal import routes
from portal.features.usage.downloads import DOWNLOADS
from portal.features.usage.page import page
from portal.features.usage.quota_state import Quotas
from portal.features.usage.state import Usage
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.USAGE,
    title="Usage",
    icon="chart-column",
    page=page,
    group=Group.OBSERVE,
    words="tokens requests chart meter",
    on_load=(Usage.watch, Quotas.watch),
    routes=DOWNLOADS,
)
