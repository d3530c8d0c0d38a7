"""The organization itself: its name, and what was settled when it was made."""

from __future__ import annotations

from portal.features.organization.page import page
from portal.features.organization.state import Organization
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/organization",
    title="Organization",
    icon="settings",
    page=page,
    group=Group.SETTINGS,
    words="settings name time zone currency",
    on_load=(Organization.load,),
)
