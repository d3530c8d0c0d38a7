"""Platforms: what is behind or parked at a billing platform, and what differs; for the operator."""

from __future__ import annotations

from portal.features.platforms.page import page
from portal.features.platforms.state import Platforms
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/platforms",
    title="Platforms",
    icon="landmark",
    page=page,
    group=Group.OPERATOR,
    words="stripe billing sync",
    on_load=(Platforms.watch,),
)
