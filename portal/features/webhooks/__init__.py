"""Webhooks: endpoints of the organization's own, what each was sent, and sending it again.

A new secret is shown once, in the dialog that made it, and is gone when a page is loaded. The
address holds the endpoint whose log is open, the log's filter, and the delivery that is looked at.
"""

from __future__ import annotations

from portal import routes
from portal.features.webhooks.page import page
from portal.features.webhooks.state import Webhooks
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.WEBHOOKS,
    title="Webhooks",
    icon="satellite-dish",
    page=page,
    group=Group.SETTINGS,
    words="endpoints events deliveries resend replay test secret notifications",
    on_load=(Webhooks.arrive, Webhooks.load),
)
