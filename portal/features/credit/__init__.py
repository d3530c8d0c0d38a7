"""Credit: a tenant's prepaid wallet with its grants, top-ups, automatic rule and ledger.

For the tenant, and for an operator who acts for a customer. Owns the page's forms and rows; what
a balance is, the API says.
"""

from __future__ import annotations

from portal.features.credit.page import page
from portal.features.credit.state import Credit
from portal.shell.feature import Feature

FEATURE = Feature(
    route="/credit",
    title="Credit",
    icon="wallet",
    page=page,
    on_load=(Credit.watch,),
)
