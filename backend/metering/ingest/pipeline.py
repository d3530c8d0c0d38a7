"""How the way from ingest to rollups is doing: what waits, since when, and what was set aside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, StreamInfo
from nats.js.errors import NotFoundError
from sqlalchemy import BigInteger, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.errors import QueueUnavailable
from backend.metering.ingest.backlog import longest_waiting
from backend.metering.ingest.connection import STREAM_OUTAGES
from backend.metering.ingest.leaders import servers_in_step
from backend.metering.ingest.streams import (
    BACKFILL,
    COUNTING,
    dead_letter_stream,
    possible_streams,
    present_streams,
)
from backend.storage.tables import counted_totals, usage_versions
from backend_client.types.pipeline import Pipeline, UsageStreamState

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
        present, set_aside = await asyncio.gather(
            present_streams(js, possible_streams(stream_name)), js.stream_info(dead)
        )
        answering = {name: info for name, info in present.items() if info is not None}
        in_progress, redelivered = await _in_progress(js, answering)
        oldest_waiting = await asyncio.gather(
            *(_since(js, name, info.state.first_seq) for name, info in answering.items())
        )
        oldest_by_tenant = await longest_waiting(
            js,
            {name: info.state.first_seq for name, info in answering.items() if info.state.messages},
        )
        oldest_dead = await _since(js, dead, set_aside.state.first_seq)
    except STREAM_OUTAGES as error:
        raise QueueUnavailable() from error
    totals = (await connection.execute(_TOTALS)).one()
    return Pipeline(
        as_of=datetime.now(UTC),
        waiting_messages=sum(info.state.messages for info in answering.values()),
        waiting_bytes=sum(info.state.bytes for info in answering.values()),
        most_bytes=sum(info.config.max_bytes or 0 for info in answering.values()),
        in_progress_messages=in_progress,
        oldest_waiting_at=min(filter(None, oldest_waiting), default=None),
        counted_at=await connection.scalar(select(func.max(usage_versions.c.last_event_at))),
        events_counted=totals.new,
        duplicates_counted=totals.known,
        dead_letters=set_aside.state.messages,
        oldest_dead_letter_at=oldest_dead,
        redelivered_messages=redelivered,
        oldest_by_tenant=oldest_by_tenant,
        streams=[_state(name, info) for name, info in present.items()],
    )


def _state(name: str, info: StreamInfo | None) -> UsageStreamState:
    if info is None:
        return UsageStreamState(
            name=name, waiting_messages=0, waiting_bytes=0, leader=None, copies=1, copies_in_step=0
        )
    return UsageStreamState(
        name=name,
        waiting_messages=info.state.messages,
        waiting_bytes=info.state.bytes,
        leader=info.cluster.leader if info.cluster else None,
        copies=info.config.num_replicas or 1,
        copies_in_step=1 + len(servers_in_step(info)),
    )


async def _in_progress(js: JetStreamContext, streams: Iterable[str]) -> tuple[int, int]:
    """Return how many messages are at a worker, and how many came back and are not counted yet."""
    states = await asyncio.gather(
        *(_consumer(js, stream, name) for stream in streams for name in (COUNTING, BACKFILL))
    )
    present = [state for state in states if state is not None]
    return (
        sum(state.num_ack_pending or 0 for state in present),
        sum(state.num_redelivered or 0 for state in present),
    )


async def _consumer(js: JetStreamContext, stream: str, name: str) -> ConsumerInfo | None:
    try:
        state: ConsumerInfo = await js.consumer_info(stream, name)
    except (NotFoundError, TimeoutError):  # no worker was ever here, or it elects its leader
        return None
    return state


async def _since(js: JetStreamContext, stream: str, sequence: int) -> datetime | None:
    try:
        return (await js.get_msg(stream, sequence)).time if sequence else None
    except NotFoundError:  # none, or counted since
        return None
