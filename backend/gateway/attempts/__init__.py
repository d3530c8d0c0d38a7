"""Attempts: a call sent to one upstream after another until one answers.

Owns the request to an upstream, its answer as it comes in, which failure is tried elsewhere, and
how the failure that remains is told. Does not own which upstreams there are (``upstreams``), nor
what passes on to the caller and what it used (``relay``, ``recorder``). Timeouts are seconds of
the process's clock.
"""
