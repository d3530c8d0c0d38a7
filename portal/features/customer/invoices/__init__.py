"""Invoices of a customer: what the operator makes of them, and lines for the next one."""
