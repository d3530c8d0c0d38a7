"""Invoices and credit notes as e-invoices by EN 16931: UBL, CII, and CII within the PDF. Pure.

``semantic`` is the standard's own model, which ``building`` makes of a document; ``ubl`` and
``cii`` write it, and ``hybrid`` puts the latter into a PDF. ``requirements`` has what each needs.
"""
