"""Send sample usage to the running API, and wait until it is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.demo.accounts import OpenedTenant
from backend.demo.usage import SOURCE, sample_events
from backend.errors import CommandError
from backend.storage.database import Database
from backend.storage.tables import events
from backend_client import AsyncFareboxClient, ClientError
from backend_client.types.events import UsageEvent

BATCH = 2_000
_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 60.0

Progress = Callable[[int], None]


def all_events(
    opened: Sequence[OpenedTenant], *, until: datetime, seed: int
) -> dict[str, list[UsageEvent]]:
    """Return each tenant's events by its id."""
    return {
        opened_tenant.tenant.id: list(
            sample_events(
                opened_tenant.sample,
                opened_tenant.places,
                start=opened_tenant.start,
                until=until,
                seed=seed,
            )
        )
        for opened_tenant in opened
    }


async def send(
    client: AsyncFareboxClient, to_send: Iterable[UsageEvent], progress: Progress
) -> int:
    """Send events in batches; return how many were new. ``progress`` gets the size of each batch.

    Raises ``CommandError`` if the API can't be reached or its queue doesn't answer; what was sent
    until then is kept, and may be sent again.
    """
    new = 0
    for batch in _batches(to_send):
        try:
            verdict = await client.events.send(batch)
        except ClientError as error:
            raise CommandError(
                f"The API stopped accepting events ({error}). Run the command again to continue."
            ) from error
        if verdict.errors:
            first = verdict.errors[0]
            raise CommandError(f"The API refused the sample event {first.id}: {first.detail}.")
        new += verdict.accepted
        progress(len(batch))
    return new


async def until_counted(
    database: Database, sent: dict[str, list[UsageEvent]], progress: Progress
) -> None:
    """Wait until the worker has counted all that was sent; ``progress`` gets the number so far.

    Raises ``CommandError`` if the worker makes no progress for a minute.
    """
    wanted = sum(len(events) for events in sent.values())
    loop = asyncio.get_running_loop()
    counted, since = -1, loop.time()
    while counted < wanted:
        if counted >= 0:
            await asyncio.sleep(_POLL_SECONDS)
        async with database.begin() as connection:
            now = await _stored(connection, list(sent))
        if now > counted:
            counted, since = now, loop.time()
            progress(min(counted, wanted))
        elif loop.time() - since > _PATIENCE_SECONDS:
            raise CommandError(
                f"The worker has counted {counted:,} of {wanted:,} events and makes no progress. "
                "They are safe in the queue; see the worker's log."
            )


async def _stored(connection: AsyncConnection, tenant_ids: list[str]) -> int:
    query = select(func.count()).where(
        events.c.tenant_id.in_(tenant_ids), events.c.source == SOURCE
    )
    return await connection.scalar(query) or 0


def _batches(to_send: Iterable[UsageEvent]) -> Iterator[list[UsageEvent]]:
    rest = iter(to_send)
    while batch := list(islice(rest, BATCH)):
        yield batch
