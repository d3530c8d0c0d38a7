"""Operations: the queue, events that could not be counted, and invoice runs; for the operator."""

from __future__ import annotations

from portal.features.operations.page import page
from portal.features.operations.refused_state import RefusedOfAll
from portal.features.operations.runs_state import InvoiceRuns
from portal.features.operations.state import Operations
from portal.features.operations.worker_state import WorkerTasks
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/operations",
    title="Operations",
    icon="activity",
    page=page,
    group=Group.OPERATOR,
    words="health worker dead letters queue",
    on_load=(
        Operations.watch,
        WorkerTasks.watch,
        InvoiceRuns.watch,
        RefusedOfAll.watch,
    ),
)
