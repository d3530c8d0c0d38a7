"""Upstreams, for the operator: how the model providers fare, and what calls are sent to them.

A key is written and never read: no state holds it, and none is shown again.
"""

from __future__ import annotations

from portal.features.upstreams.page import page
from portal.features.upstreams.state import Upstreams
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/upstreams",
    title="Upstreams",
    icon="server",
    page=page,
    group=Group.OPERATOR,
    words="model providers gateway targets health failover keys",
    on_load=(Upstreams.watch,),
)
