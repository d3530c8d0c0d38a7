"""The customer as a party to invoices: its name and tax, its terms, and whether it may call.

Owns billing details, agreed terms, and whether calls are suspended for an unpaid invoice. Does not
own the tenant itself (``accounts``), nor the invoices and their reminders (``invoices``). What the
operator does to its accounts and notifies it of is here too: invitations, and keys that leaked.

Details and terms hold for invoices issued from now on; issued invoices keep what they were issued
with.
"""
