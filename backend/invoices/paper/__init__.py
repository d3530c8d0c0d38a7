"""Invoices as files: PDF and CSV. Pure functions of an invoice's final parts."""
