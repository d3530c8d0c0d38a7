"""Refusals: why sent events were not taken, counted by tenant and day, and listed for some days.

Owns the sentence of a refusal, the tally in each process, and the table of refused events. Does not
own the rules that refuse: those are ``ingest``. Nothing of an event is kept but its id and source.
A day is one of UTC, by the time of receipt.
"""
