"""The audit: who did what, when and from where.

Owns its entries, how they are read, and their files. Does not own what is done: each room records
its own acts, in their transaction. An entry's time is that of its transaction.
"""
