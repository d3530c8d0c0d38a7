"""Orb: its API over HTTP, and what is what there.

``mapping``, ``credit_notes``, ``prices``, ``fits``, ``events`` and ``signatures`` are pure;
``calls`` sends requests; ``invoices``, ``plans``, ``usage``, ``backfills``, ``top_ups`` and
``credit`` do each a thing by them, and ``adapter`` puts them together. Owns no row: what is
remembered is given and kept by the room around it.

Orb keeps no idempotency keys of requests, only those of events. What is made is therefore found
again by our own id, in its external id or its metadata, before it is made a second time.
"""
