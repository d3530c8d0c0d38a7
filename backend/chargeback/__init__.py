"""Chargeback: a tenant's invoices, divided over its departments.

Owns the policies (departments, rules, shared costs, transfer prices), the statements made by them,
closed months with their journals, and the budgets of departments. Does not own the invoices: it
reads their lines, and its sums are theirs to the cent. A month is a billing period. The day of a
policy is a day on the tenant's clocks; the time of an entry is that of the usage it is for, and
its month the one that bears it.
"""
