"""Sample data: labelled tenants with seeded usage, sent as an operator's own services send it."""
