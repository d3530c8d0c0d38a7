"""Invoices: the list, one with its lines, the events behind a line, billing details, methods.

Owns those dialogs. Issuing, voiding and runs are the operator's (``features.operations``, the
API).
"""

from __future__ import annotations

from portal import routes
from portal.features.invoices.billing_state import Billing
from portal.features.invoices.downloads import DOWNLOADS
from portal.features.invoices.line_events_state import LineEvents
from portal.features.invoices.methods_state import PaymentMethods
from portal.features.invoices.page import page
from portal.features.invoices.state import Invoices
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.INVOICES,
    title="Invoices",
    icon="file-text",
    page=page,
    group=Group.BILLING,
    words="bills payment pdf",
    on_load=(
        Billing.arrive,
        LineEvents.arrive,
        PaymentMethods.arrive,
        Invoices.load,
    ),
    routes=DOWNLOADS,
)
