"""How the way from ingest to rollups is doing."""

from __future__ import annotations

from pydantic import Field

from backend_client.types.common import Answer, Instant


class TenantWaiting(Answer):
    """How long a tenant's oldest message has waited to be counted."""

    tenant_id: str
    oldest_waiting_at: Instant = Field(
        description="When the tenant's message came in that has waited longest."
    )


class UsageStreamState(Answer):
    """One of the streams of usage; there are several in a NATS cluster with three copies of each.

    ``leader`` is the server that takes its writes, None while one is elected and outside of a
    cluster. ``copies_in_step`` of its ``copies`` hold all that is in it; 0 if it did not answer.
    """

    name: str = Field(description="The stream's name in NATS.")
    waiting_messages: int = Field(description="How many of its messages are still to be counted.")
    waiting_bytes: int = Field(description="How many bytes these are.")
    leader: str | None = Field(
        description="The server that takes its writes; null while one is elected, and outside "
        "of a cluster."
    )
    copies: int = Field(description="How many copies of it there are to be.")
    copies_in_step: int = Field(
        description="How many copies hold all that is in it; 0 if it did not answer."
    )


class WorkerTask(Answer):
    """What is on record of one of the worker's tasks, over all workers.

    ``failed_at`` and ``error`` are of its last failure, an outage included;
    ``consecutive_failures`` is how many passes failed since the last that did not. ``restarts``
    counts the faults after which it had to be started again.
    """

    task: str = Field(description="What the task is called, such as `counting` or `invoices`.")
    succeeded_at: Instant | None = Field(
        description="When it last went well; null if it never did."
    )
    failed_at: Instant | None = Field(
        description="When it last failed, an outage included; null if it never did."
    )
    error: str | None = Field(description="What its last failure was; null if there was none.")
    consecutive_failures: int = Field(
        description="How many passes failed since the last that did not."
    )
    restarts: int = Field(description="After how many faults it had to be started again.")


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
    waiting_messages: int = Field(
        description="How many messages were acknowledged to their senders and are still to be "
        "counted. A message has up to 500 events."
    )
    waiting_bytes: int = Field(description="How many bytes these are.")
    most_bytes: int = Field(
        description="How many bytes may wait before ingest refuses further events."
    )
    in_progress_messages: int = Field(
        description="How many of the waiting messages a worker has at hand."
    )
    oldest_waiting_at: Instant | None = Field(
        description="When the message came in that has waited longest; null if none waits."
    )
    counted_at: Instant | None = Field(
        description="When the newest event that was counted came in; null if none ever was."
    )
    events_counted: int = Field(
        description="How many events were counted since the installation was made."
    )
    duplicates_counted: int = Field(
        description="How many events came again, and were not counted again."
    )
    dead_letters: int = Field(
        description="How many messages were set aside because they can't be counted."
    )
    oldest_dead_letter_at: Instant | None = Field(
        description="When the oldest of these was set aside; null if there are none."
    )
    redelivered_messages: int = Field(
        0, description="How many of the messages at hand came back from a worker before, uncounted."
    )
    oldest_by_tenant: list[TenantWaiting] = Field(
        [],
        description="The tenants whose messages have waited longest, up to ten; empty while "
        "all is counted within seconds.",
    )
    streams: list[UsageStreamState] = Field([], description="The streams that hold the messages.")
