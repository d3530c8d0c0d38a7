"""Notifications and their delivery: what was told to whom, how it went, and telling it again."""

from __future__ import annotations

from portal.features.notifications.page import page
from portal.features.notifications.state import Notifications
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/notifications",
    title="Notifications",
    icon="webhook",
    page=page,
    group=Group.OPERATOR,
    words="webhooks e-mail deliveries resend replay test event secret",
    on_load=(Notifications.arrive,),
)
