"""What the certificates of servers are checked against, read once a process: it takes a while."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def tls_context() -> ssl.SSLContext:
    """The context of clients that the environment may tell which authorities to trust."""
    return httpx.create_ssl_context()


@cache
def provider_tls_context() -> ssl.SSLContext:
    """The context of all connections to providers, and of others that heed no environment."""
    return httpx.create_ssl_context(trust_env=False)
