"""Which customer an operator's page is about, and the list to pick another from."""
