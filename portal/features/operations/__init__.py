"""Operations: the queue, events that could not be counted, and invoice runs; for the operator."""

from __future__ import annotations

from portal.features.operations.page import page
from portal.features.operations.runs_state import InvoiceRuns
from portal.features.operations.state import Operations
from portal.shell.feature import Audience, Feature

FEATURE = Feature(
    route="/operations",
    title="Operations",
    icon="activity",
    page=page,
    on_load=(
        Operations.watch,
        InvoiceRuns.watch,
    ),
    audience=Audience.OPERATOR,
)
