"""Tenants, applications, members and their roles, sessions and API keys.

``keys``, ``sessions``, ``members`` and ``audit`` are rooms; ``authenticator`` makes a caller of
what a request carries, and ``principal`` says what that may do.

Owns who a caller is and what that permits, secrets (kept as hashes), invitations, idempotency
keys and the audit log. Does not own how a tenant is billed or whether it is suspended
(``customers``), nor what it may use (``quotas``). Times are instants of UTC; a tenant's time zone
is stored here and applied by the rooms that have days and periods.
"""
