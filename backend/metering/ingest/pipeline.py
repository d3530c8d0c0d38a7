"""How the way from ingest to rollups is doing: what waits, since when, and what was set aside."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from sqlalchemy import BigInteger, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.errors import QueueUnavailable
from backend.metering.ingest.stream import BACKFILL, COUNTING, dead_letter_stream
from backend.storage.tables import counted_totals, usage_versions
from backend_client.types.pipeline import Pipeline

_TOTALS = select(
    *(
        func.coalesce(func.sum(column), 0).cast(BigInteger).label(column.name)
        for column in (counted_totals.c.new, counted_totals.c.known)
    )
)


async def pipeline_status(
    connection: AsyncConnection, js: JetStreamContext, stream_name: str
) -> Pipeline:
    """Return how it is now; raise ``Unavailable`` if NATS does not answer."""
    dead = dead_letter_stream(stream_name)
    try:
        waiting = await js.stream_info(stream_name)
        set_aside = await js.stream_info(dead)
        in_progress = await _in_progress(js, stream_name)
        oldest_waiting = await _since(js, stream_name, waiting.state.first_seq)
        oldest_dead = await _since(js, dead, set_aside.state.first_seq)
    except (NatsError, OSError, TimeoutError) as error:
        raise QueueUnavailable() from error
    totals = (await connection.execute(_TOTALS)).one()
    return Pipeline(
        as_of=datetime.now(UTC),
        waiting_messages=waiting.state.messages,
        waiting_bytes=waiting.state.bytes,
        most_bytes=waiting.config.max_bytes or 0,
        in_progress_messages=in_progress,
        oldest_waiting_at=oldest_waiting,
        counted_at=await connection.scalar(select(func.max(usage_versions.c.last_event_at))),
        events_counted=totals.new,
        duplicates_counted=totals.known,
        dead_letters=set_aside.state.messages,
        oldest_dead_letter_at=oldest_dead,
    )


async def _in_progress(js: JetStreamContext, stream_name: str) -> int:
    count = 0
    for consumer in (COUNTING, BACKFILL):
        with suppress(NotFoundError):  # no worker was ever here
            count += (await js.consumer_info(stream_name, consumer)).num_ack_pending or 0
    return count


async def _since(js: JetStreamContext, stream: str, sequence: int) -> datetime | None:
    try:
        return (await js.get_msg(stream, sequence)).time if sequence else None
    except NotFoundError:  # none, or counted since
        return None
