"""Webhooks of a customer: its endpoints, and what each was sent."""
