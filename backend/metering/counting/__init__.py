"""Events into PostgreSQL and rollups, each exactly once, and what keeps the two in agreement.

Owns the worker that takes batches from the stream, inserting and adding up, corrections, declared
labels, daily rollups, rebuilding, and the locks between them. Rollups are by quarter hour of the
event's ``time`` (UTC); days of daily rollups are the tenant's own.
"""
