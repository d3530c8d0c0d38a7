"""Applications: made, renamed, archived, with the keys and the usage of each, and what is kept."""

from __future__ import annotations

from portal.features.applications.bodies_state import Bodies
from portal.features.applications.page import page
from portal.features.applications.state import Applications
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/applications",
    title="Applications",
    icon="layers",
    page=page,
    group=Group.SETTINGS,
    words="projects apps rename archive body logging retention redaction",
    on_load=(Bodies.arrive, Applications.load),
)
