"""Accounting: the seller's journal, and when its revenue is recognized.

Owns how documents (invoices, payments, credit notes, credit) become balanced entries, the chart of
accounts, and the forms that accounting programs import; those are chargeback's too. It keeps no
entries: they are made of documents that never change, so the same question has the same answer. A
month is one of the calendar on the books' clocks; a service's days are those of the invoice's.
"""
