"""What the certificates of model providers are checked against."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def provider_tls_context() -> ssl.SSLContext:
    """The context of all connections to providers; reading the certificates takes a while."""
    return httpx.create_ssl_context(trust_env=False)
