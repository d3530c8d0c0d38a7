"""Limits of keys, applications and plans: requests and tokens a minute, and calls at once.

Owns the buckets, kept in PostgreSQL for all replicas together, what is said when a limit refuses,
and how much of it is left. Does not own what a plan or a key sets (``catalog``, ``accounts``), nor
the statement that takes a call's share with its other holds (``holds``). A bucket's times are
instants of the database's clock.
"""
