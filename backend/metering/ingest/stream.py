"""The usage stream: accepted events on NATS JetStream, acknowledged before senders are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from backend.errors import Unavailable
from backend.ids import new_id
from backend.kit.backoff import pauses
from backend.kit.nats_servers import NatsServers
from backend.kit.remembered import Remembered
from backend.metering.errors import QueueFull, QueueUnavailable
from backend.metering.events import AcceptedEvent, messages
from backend.metering.ingest.connection import open_connection, servers_of
from backend.settings import Settings

_log = structlog.get_logger(__name__)

COUNTING = "counting"
"""The name of the durable consumer of live usage, which all workers share."""
BACKFILL = "backfill"
"""The name of the durable consumer of backfill, which waits for live usage to be counted."""
BACKFILL_AGE = timedelta(hours=1)
"""An event that is older when it is accepted is backfill."""

_ACK_SECONDS = 2.0
_PUBLISH_SECONDS = 6.0
"""How long a write is tried."""
ELECTION_SECONDS = 12.0
"""The same in a cluster, where servers that lost their leader elect another within 4 to 9 s."""
_ATTEMPT_SECONDS = 1.0
"""For one attempt: a lost leader's acknowledgement never arrives."""
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.25
_HEALTH_SECONDS = 1.0
_EMPTY = b"[]"
"""A message without events: what a probe writes."""
_FULL_RETRY_SECONDS = 5
_FULL = {10077, 10122}
"""JetStream's codes for a stream at its limit of bytes or messages: the worker is behind."""
_NO_ROOM = {10047, 10023}
"""JetStream's codes for no space on disk or in memory."""


def events_subject(stream_name: str) -> str:
    """Return the subject that accepted events are published on."""
    return f"{stream_name}.events"


def backfill_subject(stream_name: str) -> str:
    """Return the subject of accepted backfill."""
    return f"{stream_name}.backfill"


def dead_letter_stream(stream_name: str) -> str:
    """Return the name of the stream of messages that can't be counted."""
    return f"{stream_name}_DEAD"


async def ensure_streams(js: JetStreamContext, settings: Settings) -> None:
    """Create the usage stream and the dead-letter stream unless they exist.

    An existing stream gets the configured subjects, bytes and replicas, and keeps its other
    settings.
    """
    usage, dead = settings.stream_name, dead_letter_stream(settings.stream_name)
    subjects = {
        usage: [events_subject(usage), backfill_subject(usage)],
        dead: [events_subject(dead)],
    }
    for name in (usage, dead):
        wanted = StreamConfig(
            name=name,
            subjects=subjects[name],
            # A full stream refuses new events with an error; it never drops one that
            # was acknowledged.
            discard=DiscardPolicy.NEW,
            max_bytes=settings.stream_max_bytes,
            num_replicas=settings.stream_replicas,
            retention=RetentionPolicy.WORK_QUEUE if name == usage else RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
        )
        try:
            present = await js.stream_info(name)
        except NotFoundError:
            present = await js.add_stream(wanted)
        else:
            await _bring_up_to_date(js, present.config, wanted)
        if settings.stream_replicas == 1 and present.cluster and present.cluster.name:
            _log.warning("nats.one_replica_in_a_cluster", stream=name)


async def _bring_up_to_date(
    js: JetStreamContext, present: StreamConfig, wanted: StreamConfig
) -> None:
    """Change an existing stream; a refusal is only logged, since the stream still works."""
    changes = {
        key: getattr(wanted, key)
        for key in ("subjects", "max_bytes", "num_replicas")
        if getattr(present, key) != getattr(wanted, key)
    }
    if not changes:
        return
    try:
        await js.update_stream(present, **changes)
    except APIError as error:  # such as too little disk, or too few servers
        _log.error(
            "nats.stream_not_changed", stream=present.name, **changes, detail=error.description
        )
    else:
        _log.info("nats.stream_changed", stream=present.name, **changes)


async def refuses_writes(servers: NatsServers, stream_name: str) -> bool:
    """Return whether a server that answers does not confirm a write, though the stream has room.

    False if the server does not answer, or has no such stream yet.
    """
    try:
        client = await open_connection(servers, "farebox-probe")
    except (NatsError, OSError, TimeoutError):
        return False
    try:
        await client.jetstream().publish(events_subject(stream_name), _EMPTY, timeout=_ACK_SECONDS)
    except NoStreamResponseError:
        return False
    except APIError as error:
        return error.err_code not in _FULL
    except (NatsError, OSError, TimeoutError):
        return client.is_connected
    finally:
        await client.close()
    return False


class UsageStream:
    """Publishes accepted events. One a process; ``await close()`` when done."""

    def __init__(self, nats_url: str, settings: Settings) -> None:
        self._url = nats_url
        self._settings = settings
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._connecting = asyncio.Lock()
        self._health: Remembered[None, bool] = Remembered(seconds=_HEALTH_SECONDS, most=1)

    @classmethod
    async def connect(cls, nats_url: str, settings: Settings) -> Self:
        """Return the stream, connected if NATS answers now; otherwise it connects later."""
        stream = cls(nats_url, settings)
        try:
            await stream.jetstream()
        except Unavailable as error:
            _log.warning("nats.unreachable", detail=error.detail)
        return stream

    @property
    def name(self) -> str:
        """Its name in JetStream."""
        return self._settings.stream_name

    @property
    def client(self) -> Client | None:
        """The connection, if there is one: for requests to the worker."""
        return self._client

    async def jetstream(self) -> JetStreamContext:
        """Return JetStream, connecting first if need be; raise ``Unavailable`` if it can't."""
        if self._js is not None:
            return self._js
        async with self._connecting:
            if self._js is None:
                try:
                    servers = servers_of(self._url, self._settings)
                    self._client = self._client or await open_connection(servers, "farebox-api")
                    js = self._client.jetstream(timeout=_ACK_SECONDS)
                    await ensure_streams(js, self._settings)
                except APIError as error:
                    # Such as too little disk for FAREBOX_STREAM_MAX_BYTES, which concerns the
                    # operator and not every caller
                    _log.error("nats.refused", detail=error.description)
                    raise QueueUnavailable("The usage stream can't be made.") from error
                except (NatsError, OSError, TimeoutError) as error:
                    raise QueueUnavailable() from error
                self._js = js
        return self._js

    async def publish(self, events: Sequence[AcceptedEvent]) -> None:
        """Return once JetStream has stored every event.

        Raises ``RateLimited`` if the stream is full, ``Unavailable`` if it is unknown whether they
        are stored; sending the same events again is safe, because each counts once.
        """
        if not events:
            return
        js = await self.jetstream()
        live = [event for event in events if event.received_at - event.time <= BACKFILL_AGE]
        backfill = (
            [event for event in events if event.received_at - event.time > BACKFILL_AGE]
            if len(live) < len(events)
            else []
        )
        name = self._settings.stream_name
        await asyncio.gather(
            *(
                self._publish_message(js, subject, message)
                for subject, part in (
                    (events_subject(name), live),
                    (backfill_subject(name), backfill),
                )
                for message in messages(part)
            )
        )

    async def _publish_message(self, js: JetStreamContext, subject: str, message: bytes) -> None:
        # The same id on every attempt: JetStream keeps one copy if an acknowledgement got lost.
        headers = {"Nats-Msg-Id": new_id("evt")}
        alone = self._settings.stream_replicas == 1
        until = time.monotonic() + (_PUBLISH_SECONDS if alone else ELECTION_SECONDS)
        waits = pauses(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            try:
                await js.publish(subject, message, timeout=_ATTEMPT_SECONDS, headers=headers)
            except APIError as error:
                if error.err_code not in _FULL | _NO_ROOM:
                    raise QueueUnavailable("The usage stream refused the write.") from error
                raise QueueFull(
                    "The usage stream is full: the worker is behind. Send it again later.",
                    retry_after_seconds=_FULL_RETRY_SECONDS,
                ) from error
            except (NatsError, OSError, TimeoutError) as error:
                pause = next(waits)
                if time.monotonic() + pause >= until:
                    raise QueueUnavailable(
                        "The usage stream did not confirm the write; send it again."
                    ) from error
                await asyncio.sleep(pause)
            else:
                return

    async def healthy(self) -> bool:
        """Return whether JetStream stores a write now, which is what ingest needs.

        A stream whose worker is behind is healthy; senders get its own error. The answer is cached
        for a second.
        """
        return await self._health.get(None, self._takes_a_write)

    async def _takes_a_write(self) -> bool:
        try:
            js = await self.jetstream()
            await js.publish(events_subject(self._settings.stream_name), _EMPTY)
        except APIError as error:
            return error.err_code in _FULL
        except (Unavailable, NatsError, OSError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Send what is pending and disconnect."""
        if self._client is not None and not self._client.is_closed:
            if self._client.is_connected:
                await self._client.drain()
            else:
                await self._client.close()
