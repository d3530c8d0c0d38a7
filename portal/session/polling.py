"""How often each page looks at most, in seconds.

Pages that follow a tenant's usage look when it has changed, which one connection to the API tells
all tabs of the tenant. Others ask the API: one tab, and all get the answer.
"""

from __future__ import annotations

EVENTS = 0.5
"""What is at hand already: the events come by a connection of their own."""
USAGE_CHART = 1.0
USAGE_FIGURES = 2.0
OPERATIONS = 2.0
INVOICE_RUNS = 3.0
WORKER_TASKS = 5.0
REFUSED_EVENTS = 5.0
PLATFORMS = 5.0
UPSTREAMS = 3.0
KEYS = 20.0
CREDIT = 10.0
CLOCK = 1.0
WEBHOOKS = 4.0

ANSWER_SECONDS = 2.0
"""How old an answer may be that another tab got, of what usage alone does not change."""
REPORT_SECONDS = 600.0
"""The same for usage itself, which is asked for again when it has changed."""
