"""What is queued for a platform that rates usage: deltas of usage, and subscriptions.

Owns what changed since it was queued last. Does not own how it is sent (``sending``), nor the facts
that are queued in their own transaction (``outbox.platform_queue``). Usage is by the hour of its
events, a subscription by when it began.
"""
