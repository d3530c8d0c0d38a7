"""What stands at an address that no page has."""
