"""What comes from a platform: webhooks, stored as they come, and what is asked for.

Owns the inbox, and that each message is applied once. Does not own what a message means here
(``remote_facts``) nor whether it is genuine (its adapter). ``received_at`` is when it came,
whatever the message says of itself.
"""
