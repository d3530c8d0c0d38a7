"""Compare plans: a described workload, or the past, on each plan side by side.

What is compared is in the address, so that a link shows the same to somebody else.
"""

from __future__ import annotations

from portal import routes
from portal.features.compare.downloads import DOWNLOADS
from portal.features.compare.page import page
from portal.features.compare.public_page import PublicCompare
from portal.features.compare.state import Compare
from portal.settings import portal_settings
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.COMPARE,
    title="Compare plans",
    icon="columns-3",
    page=page,
    group=Group.BILLING,
    words="price simulator what if",
    on_load=(Compare.load,),
    routes=(*DOWNLOADS, *PublicCompare(portal_settings()).routes),
)
