"""Payments: money that comes in or goes back, credit that is bought, and reminders.

Owns what balances pay, what others report of payments, refunds and disputes, and which reminder is
due. Does not own the state that an invoice takes by it (``settling`` beside), nor the wallet of the
credit that is bought (``wallets``). A payment's time is when the money came, as it was reported.
"""
