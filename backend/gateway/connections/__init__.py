"""Connections to providers, by HTTP/1.1: opened, kept and reused.

Owns bytes and their timeouts. Does not own what they mean, nor who is asked (``upstreams``), nor
what is tried after a failure (``attempts``).
"""
