"""Billing platforms: what is collected by Stripe and its like, and what they report back.

An adapter (``adapter``) speaks to one platform; ``stripe`` is one, its mapping pure. Dispatches are
written in the transaction of the fact (``outbox.platform_queue``), or by ``queueing`` for usage and
plans, and ``sending`` sends them. ``receiving`` takes webhooks, and brings them into invoices and
wallets by ``remote_facts``; ``comparing`` compares both sides.

Farebox owns usage, prices and what an invoice says; the platform is believed on money alone: what
was paid, failed, refunded or disputed. Does not own the facts themselves. ``sent_at`` is when the
platform accepted something, ``confirmed_at`` when it was seen to have it as we do.
"""
