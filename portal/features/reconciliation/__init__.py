"""Reconciliation: imports of a provider's usage, their discrepancies, drift and margin.

For the operator. A file is dropped in the page, or imported by a command.
"""

from __future__ import annotations

from portal.features.reconciliation.downloads import DOWNLOADS
from portal.features.reconciliation.page import page
from portal.features.reconciliation.state import Reconciliations
from portal.features.reconciliation.upload import UPLOADS
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/reconciliation",
    title="Reconciliation",
    icon="scale",
    page=page,
    group=Group.OPERATOR,
    words="provider invoice drift difference",
    on_load=(Reconciliations.load,),
    routes=(*DOWNLOADS, *UPLOADS),
)
