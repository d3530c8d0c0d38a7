"""Spend: the running billing period by line, its forecast, and the tenant's plan.

Amounts are what the period would be billed at if it ended now. Does not own invoices.
"""
