"""The streams in JetStream: their names, their subjects, and how they are made.

There is one stream of usage, or three where each is kept on three servers or more: see
``docs/decisions/0011``. Which of them a message is in makes no difference to anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

from backend.metering.ingest.connection import STREAM_OUTAGES
from backend.settings import Settings

_log = structlog.get_logger(__name__)

COUNTING: Final = "counting"
"""The name of the durable consumer of live usage, which all workers share."""
BACKFILL: Final = "backfill"
"""The name of the durable consumer of backfill, which waits for live usage to be counted."""
BACKFILL_AGE: Final = timedelta(hours=1)
"""An event that is older when it is accepted is backfill."""

SPREAD_FROM_REPLICAS: Final = 3
"""With fewer, a lost server leaves no stream with a majority, whoever leads it."""


def events_subject(stream_name: str) -> str:
    """Return the subject that accepted events are published on."""
    return f"{stream_name}.events"


def backfill_subject(stream_name: str) -> str:
    """Return the subject of accepted backfill."""
    return f"{stream_name}.backfill"


def dead_letter_stream(stream_name: str) -> str:
    """Return the name of the stream of messages that can't be counted."""
    return f"{stream_name}_DEAD"


def possible_streams(stream_name: str) -> list[str]:
    """Return the names of all streams of usage that there can be, the first first."""
    return [stream_name, f"{stream_name}_2", f"{stream_name}_3"]


def usage_streams(settings: Settings) -> list[str]:
    """Return the names of the streams of usage that there have to be."""
    names = possible_streams(settings.stream_name)
    return names if settings.stream_replicas >= SPREAD_FROM_REPLICAS else names[:1]


async def ensure_streams(js: JetStreamContext, settings: Settings) -> None:
    """Create the streams of usage and the dead-letter stream unless they exist.

    An existing stream gets the configured subjects, bytes and replicas, and keeps its other
    settings. Raises what NATS does if no stream of usage is there in the end; one that is missing
    beside others is only logged.
    """
    dead = dead_letter_stream(settings.stream_name)
    usage = usage_streams(settings)
    wanted = [
        *(_wanted(name, RetentionPolicy.WORK_QUEUE, settings) for name in usage),
        _wanted(dead, RetentionPolicy.LIMITS, settings),
    ]
    failures = await asyncio.gather(*(_try_to_ensure(js, config) for config in wanted))
    for config, failure in zip(wanted, failures, strict=True):
        if failure is not None:
            detail = str(failure) or type(failure).__name__
            _log.warning("nats.stream_not_ready", stream=config.name, detail=detail)
    if all(failure is not None for failure in failures[: len(usage)]) and failures[0] is not None:
        raise failures[0]


def _wanted(name: str, retention: RetentionPolicy, settings: Settings) -> StreamConfig:
    subjects = [events_subject(name)]
    if retention is RetentionPolicy.WORK_QUEUE:
        subjects.append(backfill_subject(name))
    return StreamConfig(
        name=name,
        subjects=subjects,
        # A full stream refuses new events with an error; it never drops one that was acknowledged.
        discard=DiscardPolicy.NEW,
        max_bytes=settings.stream_max_bytes,
        num_replicas=settings.stream_replicas,
        retention=retention,
        storage=StorageType.FILE,
    )


async def _try_to_ensure(js: JetStreamContext, wanted: StreamConfig) -> Exception | None:
    try:
        await _ensure(js, wanted)
    except STREAM_OUTAGES as error:
        return error
    return None


async def _ensure(js: JetStreamContext, wanted: StreamConfig) -> None:
    name = str(wanted.name)
    try:
        present = await js.stream_info(name)
    except NotFoundError:
        present = await js.add_stream(wanted)
    else:
        await _bring_up_to_date(js, present.config, wanted)
    if wanted.num_replicas == 1 and present.cluster and present.cluster.name:
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


async def present_streams(
    js: JetStreamContext, names: Sequence[str]
) -> dict[str, StreamInfo | None]:
    """Return what is known of those streams that there are; None of one that does not answer.

    A stream without a leader does not. Raises what NATS does if there are some and none answers.
    """
    answers = await asyncio.gather(
        *(js.stream_info(name) for name in names), return_exceptions=True
    )
    present: dict[str, StreamInfo | None] = {}
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, NotFoundError):
            continue
        if isinstance(answer, BaseException) and not isinstance(
            answer, NatsError | OSError | TimeoutError
        ):
            raise answer
        present[name] = None if isinstance(answer, BaseException) else answer
    if present and not any(present.values()):
        raise next(
            answer for answer in answers if not isinstance(answer, NotFoundError | StreamInfo)
        )
    return present
