"""Usage: a chart of what was used when and by what, live, and the same as CSV.

Buckets are the tenant's wall clock.
"""
