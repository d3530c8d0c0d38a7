"""How the way from ingest to rollups is doing."""

from __future__ import annotations

from backend_client.types.common import Answer, Instant


class Pipeline(Answer):
    """A moment's look at the usage stream and the workers on it.

    A message holds up to 500 events. ``waiting_messages`` have been acknowledged to their senders
    and not been counted; ``oldest_waiting_at`` is when the first of them came in.
    ``in_progress_messages`` of them are at a worker. ``counted_at`` is when the newest event that
    was counted came in. ``events_counted`` is how many were counted since the installation was
    made, and ``duplicates_counted`` how many came again and were not counted: their growth between
    two looks is the workers' throughput.
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
