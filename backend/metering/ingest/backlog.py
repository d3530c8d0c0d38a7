"""Whose messages have waited longest to be counted: a look at the heads of the streams."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from backend.metering.events import decode
from backend_client.types.pipeline import TenantWaiting

MOST_TENANTS: Final = 10
SOON: Final = timedelta(seconds=5)
"""What has waited no longer is on its way, and is not looked at."""
_MOST_MESSAGES: Final = 30
_MOST_BYTES: Final = 4 * 1024 * 1024


async def longest_waiting(
    js: JetStreamContext, first_sequences: Mapping[str, int]
) -> list[TenantWaiting]:
    """Return the tenants of the oldest messages, the longest waiting first.

    It reads some messages from the head of each stream, where those are that are delivered again
    and again. ``first_sequences`` are by stream. Raises what NATS does.
    """
    heads = await asyncio.gather(
        *(_oldest_by_tenant(js, stream, first) for stream, first in first_sequences.items())
    )
    oldest: dict[str, datetime] = {}
    for head in heads:
        for tenant_id, since in head.items():
            oldest[tenant_id] = min(since, oldest.get(tenant_id, since))
    longest = sorted(oldest.items(), key=lambda waiting: waiting[1])[:MOST_TENANTS]
    return [
        TenantWaiting(tenant_id=tenant_id, oldest_waiting_at=since) for tenant_id, since in longest
    ]


async def _oldest_by_tenant(
    js: JetStreamContext, stream: str, first_sequence: int
) -> dict[str, datetime]:
    oldest: dict[str, datetime] = {}
    size, sequence, now = 0, first_sequence, datetime.now(UTC)
    for _ in range(_MOST_MESSAGES):
        try:
            message = await js.get_msg(stream, sequence, subject=f"{stream}.*", next=True)
        except NotFoundError:  # no more, or counted since
            break
        if message.time is None or now - message.time < SOON:
            break
        for tenant_id in _tenants_of(message.data or b""):
            oldest.setdefault(tenant_id, message.time)
        size += len(message.data or b"")
        if len(oldest) >= MOST_TENANTS or size > _MOST_BYTES:
            break
        sequence = (message.seq or sequence) + 1
    return oldest


def _tenants_of(data: bytes) -> list[str]:
    """Return the tenants of a message's events; none if nobody can read it."""
    try:
        return list(dict.fromkeys(event.tenant_id for event in decode(data)))
    except msgspec.DecodeError:
        return []
