"""The person's own sessions: where they are signed in, and ending that."""

from __future__ import annotations

from portal.features.sessions.page import page
from portal.features.sessions.state import Sessions
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/sessions",
    title="Sessions",
    icon="monitor-smartphone",
    page=page,
    group=Group.SETTINGS,
    words="devices sign out security",
    on_load=(Sessions.load,),
)
