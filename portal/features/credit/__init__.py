"""Credit: a tenant's prepaid wallet with its grants, top-ups, automatic rule and ledger.

For the tenant, and for an operator who acts for a customer. Owns the page's forms and rows; what
a balance is, the API says.
"""

from __future__ import annotations

from portal.features.credit.page import page
from portal.features.credit.state import Credit
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/credit",
    title="Credit",
    icon="wallet",
    page=page,
    group=Group.BILLING,
    words="wallet prepaid balance top up",
    on_load=(Credit.watch,),
)
