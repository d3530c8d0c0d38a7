"""Tenants, applications, members and their roles, sessions and API keys."""
