"""Invoices: the list, one invoice with its lines, the events behind a line, billing details.

Owns those dialogs. Issuing, voiding and runs are the operator's (``features.operations``, the
API).
"""
