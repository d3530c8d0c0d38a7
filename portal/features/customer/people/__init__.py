"""People of a customer: its members and who is invited."""
