"""The worker's side of the streams: makes what is missing, and spreads their leaders."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from backend.kit.periodic import OUTAGES, every, passed, wait
from backend.metering.ingest.connection import open_connection, servers_of
from backend.metering.ingest.leaders import REQUEST_SECONDS, ask_to_lead, next_move, standing_of
from backend.metering.ingest.streams import ensure_streams, present_streams, usage_streams
from backend.settings import Settings

EVERY_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.5
_MAKE_AGAIN_SECONDS: Final = 30.0


class StreamsWorker:
    """Makes the streams that are missing, and spreads their leaders. Any number may run at once."""

    def __init__(self, nats_url: str, settings: Settings) -> None:
        self._nats_url = nats_url
        self._settings = settings
        self._names = usage_streams(settings)
        self._make_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of NATS."""

        async def act() -> None:
            await self._work(stop)

        await every(_PAUSE_SECONDS, act, stop, name="streams", outages=(NatsError, *OUTAGES))

    async def _work(self, stop: asyncio.Event) -> None:
        client = await open_connection(
            servers_of(self._nats_url, self._settings), "farebox-streams"
        )
        try:
            js = client.jetstream(timeout=REQUEST_SECONDS)
            while not stop.is_set():
                await self._look(client, js)
                await passed()
                await wait(EVERY_SECONDS, stop)
        finally:
            await client.close()

    async def _look(self, client: Client, js: JetStreamContext) -> None:
        present = await present_streams(js, self._names)
        if len(present) < len(self._names) and time.monotonic() >= self._make_at:
            self._make_at = time.monotonic() + _MAKE_AGAIN_SECONDS
            await ensure_streams(js, self._settings)
        standings = {
            name: standing
            for name, standing in ((name, standing_of(info)) for name, info in present.items())
            if standing is not None
        }
        move = next_move(standings)
        if move is not None:
            await ask_to_lead(client, move)
