"""Embedded PostgreSQL, NATS and a local model: start, health, stop."""
