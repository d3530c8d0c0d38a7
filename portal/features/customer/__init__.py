"""A customer, for the operator who acts for it: people, keys, plan and prices, credit, billing.

A section a tab, each with a state below ``CustomerPage`` that loads when its tab is shown. What is
done here is in the customer's audit as the operator's. The list of customers is ``customers``.
"""

from __future__ import annotations

from portal import routes
from portal.features.customer.page import page
from portal.features.customer.state import CustomerPage
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.CUSTOMER,
    title="Customer",
    icon="building",
    page=page,
    group=Group.OPERATOR,
    on_load=(CustomerPage.arrive,),
    within=routes.CUSTOMERS,
)
