"""How often each page asks the API whether something has changed, in seconds.

An answer of "no" costs next to nothing where the API takes an ETag: usage does.
"""

from __future__ import annotations

EVENTS = 0.5
USAGE_CHART = 1.0
USAGE_FIGURES = 2.0
OPERATIONS = 2.0
INVOICE_RUNS = 3.0
CREDIT = 10.0
