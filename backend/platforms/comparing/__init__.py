"""Compares a tenant with its billing platform: invoices, the plan, usage and credit.

Owns the comparison. Does not own what a difference is (``drift``), nor what is done about it: that
is the operator's to decide. What was compared is as of the instant of the comparison.
"""
