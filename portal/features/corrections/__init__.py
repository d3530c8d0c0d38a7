"""Corrections: an operator amends or voids one event, or previews what late events would change.

Owns the form and the two previews. Does not own the list of an event's corrections
(``shared.events``). A quarter hour is the tenant's usage slot, a period is a billing period.
"""

from __future__ import annotations

from portal import routes
from portal.features.corrections.page import page
from portal.features.corrections.state import Corrections
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.CORRECTIONS,
    title="Corrections",
    icon="history",
    page=page,
    group=Group.OPERATOR,
    words="void amend backfill",
    on_load=(Corrections.load,),
)
