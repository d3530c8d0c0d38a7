"""A sample customer's test clock, for the operator: where it stands, how it is advanced, and what
happened on its way. The customer's own pages show it in the frame; a customer is ``customer``'s.
"""

from __future__ import annotations

from portal import routes
from portal.features.clock.page import page
from portal.features.clock.state import ClockPage
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.CLOCK,
    title="Test clock",
    icon="alarm-clock",
    page=page,
    group=Group.OPERATOR,
    on_load=(ClockPage.arrive,),
    within=routes.CUSTOMERS,
)
