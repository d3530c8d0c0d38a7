"""What a billing period costs, from rollups, by the rating that makes the invoices.

Owns gathering what a period is rated from, the live spend report, simulations on other plans, the
effect of a correction or of a move to another plan version, and the margin. Does not own
rating (``pricing.rating``) or what is issued (``invoices``).

A period here is a tenant's billing period, in its time zone; "so far" means up to the last rollup.
"""
