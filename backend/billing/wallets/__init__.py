"""Prepaid credit: grants, an append-only ledger, reservations and top-ups.

``pricing.credits`` has the rules, pure. Here they meet PostgreSQL: every act locks the tenant's
wallet, so that no two spend the same credit, and appends to the ledger in the same transaction.
"""
