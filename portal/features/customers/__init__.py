"""Customers, for the operator: the list of all tenants, and making one with its first owner.

What is done for one customer is the feature ``customer``.
"""

from __future__ import annotations

from portal import routes
from portal.features.customers.page import page
from portal.features.customers.state import Customers
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.CUSTOMERS,
    title="Customers",
    icon="building-2",
    page=page,
    group=Group.OPERATOR,
    words="tenants",
    on_load=(Customers.arrive,),
)
