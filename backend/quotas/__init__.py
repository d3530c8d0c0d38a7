"""What a tenant may still use: quotas of its plan, units reserved by calls under way, entitlements.

Owns the use of quotas in the current period, and reservations against hard quotas. Does not own
credit (``wallets``) or limits by the minute (``gateway``), which are about money and about rate.

A quota's use is of the current billing period, read from rollups; a reservation lasts for one
call.
"""
