"""The audit: who did what, from where; the tenant's own, and everybody's for the operator."""

from __future__ import annotations

from portal.features.audit.downloads import DOWNLOADS
from portal.features.audit.page import page
from portal.features.audit.state import Audit
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/audit",
    title="Audit",
    icon="scroll-text",
    page=page,
    group=Group.SETTINGS,
    words="history changes who",
    on_load=(Audit.load,),
    routes=DOWNLOADS,
)
