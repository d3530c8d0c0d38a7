"""Invoices as files: PDF and CSV. Pure functions of what is final of an invoice."""
