"""Billing of a customer: how it is named and taxed, and the check of its tax id."""
