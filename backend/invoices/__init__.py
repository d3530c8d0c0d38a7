"""Invoices: from a rated period to what is asked for, paid, credited or voided.

``rules`` are pure. ``drafts`` rate what comes next, ``runs`` close each period once, ``issuing``
numbers what they ask for. ``settling``, ``payments`` and ``corrections`` change what an invoice
still asks for; ``taxing`` decides the tax, ``paper`` prints, ``letters`` writes the customer's
e-mails.

Owns issued documents, their payments, and the customer's balance. Does not own what a period costs
(``spend``) or credit (``wallets``). An invoice's period is what it bills; ``issued_at`` is the
instant of its number, ``due_at`` when payment is late, and a line's period its charge's own.
"""
