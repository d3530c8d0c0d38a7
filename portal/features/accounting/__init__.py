"""Accounting: the seller's journal and its revenue, month by month, with their files.

For the operator, who sets the chart of accounts here too; clocks and forms of files are the API's.
"""

from __future__ import annotations

from portal.features.accounting.chart_state import Chart
from portal.features.accounting.downloads import DOWNLOADS
from portal.features.accounting.page import page
from portal.features.accounting.state import Accounting
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route="/accounting",
    title="Accounting",
    icon="calculator",
    page=page,
    on_load=(Accounting.load, Chart.load),
    group=Group.OPERATOR,
    words="books journal revenue deferred chart of accounts ledger",
    routes=DOWNLOADS,
)
