"""Budgets of calls: what those of an API key, an application or a label's value may cost.

Owns budgets, holds on them, what is spent of each, and notices of it. Does not own credit
(``wallets``), quotas of a plan (``quotas``), nor budgets of departments, which invoices are divided
over (``chargeback``).

A budget is of a day or a month of the tenant's time zone; a hold lasts for one call.
"""
