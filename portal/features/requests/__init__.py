"""Requests: how each call through the gateway went, filtered, paged, opened and downloaded.

Owns the filters and their form in an address. Does not own usage, which is events.
"""

from __future__ import annotations

from portal import routes
from portal.features.requests.downloads import DOWNLOADS
from portal.features.requests.page import page
from portal.features.requests.state import Requests
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.REQUESTS,
    title="Requests",
    icon="arrow-right-left",
    page=page,
    group=Group.OBSERVE,
    words="calls log errors latency refused 429 bodies",
    on_load=(Requests.load,),
    routes=DOWNLOADS,
)
