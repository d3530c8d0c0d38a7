"""Notifications: recorded in the transaction of what happened, then delivered.

Owns notices, their routing to channels, retries, and the outcome of each delivery. Does not own the
content of a notice: the room in which something happened writes it. Delivery is at least once a
channel, in any order.
"""
