"""Issuing: a document is numbered, stored for good, and paid by what the customer has.

Owns numbers, the rows of issued documents, what a negative total becomes, and the documents that
are issued beside periods. Does not own what a period's lines are (``drafts``), nor what happens to
a document later (``corrections``, ``payments``). ``issued_at`` is the instant of the number.
"""
