"""Ingest: events are parsed, checked, and published before the sender gets an answer.

Owns parsing events, refusing them with a reason, the stream, and the dead letters that the worker
set aside. Does not write to PostgreSQL: that is ``counting``. ``time`` of an event is when usage
happened, ``received_at`` when it was accepted here.
"""
