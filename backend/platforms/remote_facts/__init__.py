"""What a platform reports, brought into invoices, wallets and dunning: each report counts once.

A module for each kind of fact. Each function takes the caller's transaction and returns whether the
fact concerns anything of ours; what can't be brought in is recorded as drift.
"""
