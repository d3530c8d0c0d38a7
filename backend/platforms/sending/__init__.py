"""Sends what waits for a platform, one worker a tenant's stream at a time, each thing once.

Owns the claim of a dispatch, what it asks for, the documents that are made of our rows, and what
became of each. Does not own how a platform words them (its adapter). ``sent_at`` is when the
platform accepted something.
"""
