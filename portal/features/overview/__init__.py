"""Overview: spend so far and ahead, today's usage, quotas, and the first steps.

"Today" and "this month" are the tenant's, by its time zone.
"""
