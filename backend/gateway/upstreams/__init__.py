"""Upstreams: the model providers behind the gateway, and how they fare.

Owns which upstreams there are (``stored``), their addresses and keys, what of a customer's request
reaches them (``rules``), which of them serve a model in which order (``targets``), and their
health. Does not own the connections to them (``connections``) nor what is sent (``attempts``).
Health is by a process's own clock; what is reported of it to others is in instants of UTC.
"""
