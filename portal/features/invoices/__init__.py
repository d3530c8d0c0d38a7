"""Invoices: the list, one invoice with its lines, the events behind a line, billing details.

Owns those dialogs. Issuing, voiding and runs are the operator's (``features.operations``, the
API).
"""

from __future__ import annotations

from portal.features.invoices.billing_state import Billing
from portal.features.invoices.downloads import DOWNLOADS
from portal.features.invoices.line_events_state import LineEvents
from portal.features.invoices.page import page
from portal.features.invoices.state import Invoices
from portal.shell.feature import Feature

FEATURE = Feature(
    route="/invoices",
    title="Invoices",
    icon="file-text",
    page=page,
    on_load=(
        Billing.arrive,
        LineEvents.arrive,
        Invoices.load,
    ),
    downloads=DOWNLOADS,
)
