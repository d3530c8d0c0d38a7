"""Prepaid credit: grants, an append-only ledger, holds, top-ups, and what they pay.

``pricing.credit`` has the rules, pure. Here they meet PostgreSQL: every change locks the tenant's
wallet, so that no two spend the same credit, and appends to the ledger in the same transaction.

Owns the credit that calls are paid from and what credit pays of a bill. Does not own the customer's
balance, which credit notes and overpayments leave (``invoices``). A call reserves credit; it then
settles what it used and releases the rest.
"""
