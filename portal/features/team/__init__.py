"""The team: members, their roles and keys, invitations."""

from __future__ import annotations

from portal.features.team.page import page
from portal.features.team.state import Team
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/team",
    title="Team",
    icon="users",
    page=page,
    group=Group.SETTINGS,
    words="members roles invite people",
    on_load=(Team.arrive, Team.load),
)
