"""The way in: what is sent is parsed, checked, and published before anyone is answered.

Owns parsing events, refusing them with a reason, the stream, and the dead letters that the worker
set aside. Does not write to PostgreSQL: that is ``counting``. ``time`` of an event is when usage
happened, ``received_at`` when it was accepted here.
"""
