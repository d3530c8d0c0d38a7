"""The connection to NATS."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from backend.kit.nats_servers import NatsServers, nats_servers
from backend.settings import Settings

_log = structlog.get_logger(__name__)

STREAM_OUTAGES: Final[tuple[type[Exception], ...]] = (NatsError, OSError, TimeoutError)
"""Errors of NATS while it is away: what is asked again may succeed."""

CONNECT_SECONDS = 2
"""For one server; those that are tried first may be gone."""


def servers_of(nats_url: str, settings: Settings) -> NatsServers:
    """Return the servers at an address, with the credentials that are set beside it."""
    return nats_servers(nats_url, credentials=settings.nats_credentials, ca=settings.nats_ca)


async def open_connection(servers: NatsServers, name: str, client: Client | None = None) -> Client:
    """Connect, and from then on reconnect for ever; raise a NATS error or ``OSError`` at first.

    ``client`` is a new one of the library's kind, if another than its own is wanted.
    """
    connecting = client or Client()

    async def on_error(error: Exception) -> None:
        _log.warning("nats.error", error=str(error) or type(error).__name__)

    async def on_disconnect() -> None:
        if not connecting.is_closed:  # by us, when we are done
            _log.warning("nats.disconnected")

    async def on_reconnect() -> None:
        _log.info("nats.reconnected")

    # The first attempt gives up, so that a caller learns of it; a connection once made never does.
    await asyncio.wait_for(
        connecting.connect(
            list(servers.addresses),
            name=name,
            connect_timeout=CONNECT_SECONDS,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            ping_interval=1,
            max_outstanding_pings=2,
            error_cb=on_error,
            disconnected_cb=on_disconnect,
            reconnected_cb=on_reconnect,
            **servers.options,
        ),
        CONNECT_SECONDS * len(servers.addresses),
    )
    return connecting
