"""One model: what it can, what it costs on the reader's plan, how it performs, how it is called.

The catalog that leads here is ``features.models``. Times and errors are of all customers' calls,
by the hour, in the last 24 hours; the hours are those of the tenant's time zone.
"""

from __future__ import annotations

from portal import routes
from portal.features.model.page import page
from portal.features.model.state import ModelPage
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.MODEL,
    title="Model",
    icon="box",
    page=page,
    group=Group.BUILD,
    on_load=(ModelPage.load,),
    within=routes.MODELS,
)
