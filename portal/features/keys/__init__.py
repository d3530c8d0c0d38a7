"""API keys: creating, listing and revoking them.

A new key's secret is shown once, in the dialog that made it, and is gone when a page is loaded.
"""

from __future__ import annotations

from portal import routes
from portal.features.keys.page import page
from portal.features.keys.state import Keys
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.KEYS,
    title="API keys",
    icon="key-round",
    page=page,
    group=Group.BUILD,
    words="secret token credential",
    on_load=(Keys.arrive, Keys.load),
)
