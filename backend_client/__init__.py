"""A typed client for Farebox's API, and the wire types that it speaks."""
