"""What a tenant may still use by its plan: quotas, units that calls under way hold, entitlements.

Owns the use of quotas in the current period, and holds on hard quotas. Does not own credit
(``wallets``), budgets of keys, applications and labels (``budgets``) or limits by the minute
(``gateway``), which are about money and about rate.

A quota's use is of the current billing period, read from rollups; a hold lasts for one call.
"""
