"""Embedded PostgreSQL, NATS and a local model: start, health, stop.

Owns the home directory, the child processes and their supervisor. Known to commands and tests
alone: every other room has addresses, and can't tell an embedded engine from another.
"""
