"""Amberflo: its API over HTTP, and what is what there.

``corrections``, ``fits``, ``mapping``, ``numbers``, ``rated`` and ``webhooks`` are pure; ``calls``
sends requests; ``adapter`` puts together what does each thing. Owns no row: what is remembered is
given and kept by the room around it.

The shapes are those of Amberflo's published client (``amberflo-metering-python``) and reference
(https://docs.amberflo.io/reference).
"""
