"""What servers' certificates are checked against."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def tls_context() -> ssl.SSLContext:
    """The context that all clients of this process share.

    Without one, httpx reads all certificates anew for each client: most of the time it takes to
    make one.
    """
    return httpx.create_ssl_context()
