"""Events: every metered call, filtered, paged, followed live, and downloaded as CSV.

Owns the filters and their form in an address. Does not own how an event is worded
(``shared.events``). Filters are by the time of use.
"""

from __future__ import annotations

from portal.features.events.downloads import DOWNLOADS
from portal.features.events.page import page
from portal.features.events.refused_state import RefusedOfTenant
from portal.features.events.state import Events
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/events",
    title="Events",
    icon="list",
    page=page,
    group=Group.OBSERVE,
    words="calls log usage",
    on_load=(Events.watch, RefusedOfTenant.watch),
    routes=DOWNLOADS,
)
