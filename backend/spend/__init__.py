"""What a billing period costs, from rollups, by the same rating that invoices go by.

Owns gathering all that a period is rated from, the live spend report, simulations on other plans,
what a correction or a move to another plan version would change, and the margin. Does not own
rating (``pricing.rating``) or what is issued (``invoices``).

A period here is a tenant's billing period, in its time zone; "so far" means up to the rollups'
last.
"""
