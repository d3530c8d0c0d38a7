"""Credit of a customer: its wallet, and grants that the operator gives."""
