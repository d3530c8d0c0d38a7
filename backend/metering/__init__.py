"""Usage events: counting tokens, ingest, counting into rollups, queries, archives.

``events`` is what an event is; the rooms are ``ingest`` (the way in), ``counting`` (into rollups,
exactly once), ``queries`` (out of rollups), ``archives``, ``files``, ``tokens`` and
``reconciliation``. Owns usage. Does not own its price (``pricing``, ``spend``). ``time`` of an
event is when usage happened, ``received_at`` when it was accepted; rollups are by quarter hour of
``time``.
"""
