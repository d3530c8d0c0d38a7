"""API keys of a customer, and what bounds their calls: limits and budgets."""
