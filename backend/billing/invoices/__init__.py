"""Invoices: from a rated period to what is asked for, paid, credited or taken back."""
