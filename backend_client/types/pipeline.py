"""How the way from ingest to rollups is doing."""

from __future__ import annotations

from backend_client.types.common import Answer, Instant


class TenantWaiting(Answer):
    """How long a tenant's oldest message has waited to be counted."""

    tenant_id: str
    oldest_waiting_at: Instant


class UsageStreamState(Answer):
    """One of the streams of usage; there are several in a NATS cluster with three copies of each.

    ``leader`` is the server that takes its writes, None while one is elected and outside of a
    cluster. ``copies_in_step`` of its ``copies`` hold all that is in it; 0 if it did not answer.
    """

    name: str
    waiting_messages: int
    waiting_bytes: int
    leader: str | None
    copies: int
    copies_in_step: int


class WorkerTask(Answer):
    """What is on record of one of the worker's tasks, over all workers.

    ``failed_at`` and ``error`` are of its last failure, an outage included;
    ``consecutive_failures`` is how many passes failed since the last that did not. ``restarts``
    counts the faults after which it had to be started again.
    """

    task: str
    succeeded_at: Instant | None
    failed_at: Instant | None
    error: str | None
    consecutive_failures: int
    restarts: int


class Pipeline(Answer):
    """A moment's look at the streams of usage and the workers on them.

    A message holds up to 500 events. ``waiting_messages`` have been acknowledged to their senders
    and not been counted; ``oldest_waiting_at`` is when the first of them came in.
    ``in_progress_messages`` of them are at a worker, and ``redelivered_messages`` of these came
    back before, uncounted. ``oldest_by_tenant`` are the tenants of the messages that have waited
    longest, up to ten; none while all is counted within seconds. ``streams`` are those that hold
    them; what waits is summed over those that answered. ``counted_at`` is when the newest
    event that was counted came in. ``events_counted`` is how many were counted since the
    installation was made, and ``duplicates_counted`` how many came again and were not counted:
    their growth between two looks is the workers' throughput.
    """

    as_of: Instant
    waiting_messages: int
    waiting_bytes: int
    most_bytes: int
    in_progress_messages: int
    oldest_waiting_at: Instant | None
    counted_at: Instant | None
    events_counted: int
    duplicates_counted: int
    dead_letters: int
    oldest_dead_letter_at: Instant | None
    redelivered_messages: int = 0
    oldest_by_tenant: list[TenantWaiting] = []
    streams: list[UsageStreamState] = []
