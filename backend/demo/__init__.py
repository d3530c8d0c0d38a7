"""Sample data: labelled tenants with seeded usage, sent as an operator's own services send it.

Owns the three sample tenants and nothing else: it makes usage with a seed, sends it to the API,
and removes what it made. Days of usage are the tenants' own.
"""
