"""The catalog of models, searched and compared: what each can, costs and how it performs.

Owns the list and the comparison. A model's own page is ``features.model``. Prices are those of the
reader's plan; times and errors are of all customers' calls, in the last 24 hours.
"""

from __future__ import annotations

from portal import routes
from portal.features.models.page import page
from portal.features.models.state import Models
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.MODELS,
    title="Models",
    icon="boxes",
    page=page,
    group=Group.BUILD,
    words="catalog price context window latency compare",
    on_load=(Models.load,),
)
