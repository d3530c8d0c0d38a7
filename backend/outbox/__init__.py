"""What is told to people and systems: recorded in the transaction that makes it so, then delivered.

Owns notices, their routing to channels, retries, and what became of each delivery. Does not own
what a notice says: the room in which something happened writes it. At least once a channel, in any
order.
"""
