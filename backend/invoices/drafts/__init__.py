"""Drafts: what the next invoice of a tenant would ask for, before anything is issued.

Owns how far each tenant is billed (``billing_cursors``), the lines that wait, usage that came late,
fees in advance, and the draft itself. Does not own the price (``spend``), the tax (``taxing``), nor
issuing (``issuing``). A draft bills a period by the tenant's time zone, up to where its clock is.
"""
