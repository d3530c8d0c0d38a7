"""Limits and budgets of keys and applications: their words, and the fields that set them."""
