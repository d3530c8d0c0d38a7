"""Stripe: its API over HTTP, and what is what there.

``amounts``, ``checkout``, ``fits``, ``forms``, ``lines``, ``mapping`` and ``signatures`` are pure;
``calls`` sends requests; ``adapter`` puts together what does each
thing. Owns no row: what is remembered is given and kept by the room around it.
"""
