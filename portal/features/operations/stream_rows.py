"""The streams of usage as rows. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend_client.types.pipeline import UsageStreamState
from portal.kit.formatting import count


@dataclass(frozen=True)
class StreamRow:
    """A stream; ``complete`` if all of its copies hold all of it."""

    name: str
    leader: str
    complete: bool
    copies: str
    waiting: str


def stream_rows(streams: Sequence[UsageStreamState]) -> list[StreamRow]:
    """The streams of a cluster; none outside of one, where there is nothing to say."""
    if all(stream.copies == 1 and stream.copies_in_step == 1 for stream in streams):
        return []
    return [
        StreamRow(
            name=stream.name,
            leader=stream.leader or "None: one is elected",
            complete=stream.copies_in_step >= stream.copies,
            copies=f"{stream.copies_in_step} of {stream.copies}",
            waiting=count(stream.waiting_messages),
        )
        for stream in streams
    ]
