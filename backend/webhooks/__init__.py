"""Customers' own webhooks: events of a tenant, sent to endpoints that it registers.

Owns endpoints, their secrets, what each is sent, every attempt, and the end of endpoints that fail
for days. Does not own what happened: these are the notifications of ``outbox``, which the rooms
write where it happens; and not the operator's webhook, one of its channels. An event's time is when
it happened, an attempt's when it was made. Each attempt is on record before it is made, and made
at most once; an event is delivered at least once an endpoint, in any order.
"""
