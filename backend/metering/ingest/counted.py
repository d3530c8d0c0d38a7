"""Whether all that was accepted up to a moment is counted: messages leave the streams with it."""

from __future__ import annotations

from collections.abc import Mapping

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from backend.metering.errors import QueueUnavailable
from backend.metering.ingest.connection import STREAM_OUTAGES
from backend.metering.ingest.streams import possible_streams, present_streams


async def last_accepted(js: JetStreamContext, stream_name: str) -> dict[str, int]:
    """Return the sequence of the last message in each stream of usage that is not empty.

    Raises ``Unavailable`` if a stream does not answer.
    """
    try:
        present = await present_streams(js, possible_streams(stream_name))
    except STREAM_OUTAGES as error:
        raise QueueUnavailable() from error
    accepted = {}
    for name, info in present.items():
        if info is None:
            raise QueueUnavailable()
        if info.state.messages:
            accepted[name] = info.state.last_seq
    return accepted


async def all_counted(js: JetStreamContext, accepted: Mapping[str, int]) -> bool:
    """Tell whether nothing is left of what ``last_accepted`` has returned.

    What can't be counted is set aside, and counts as such. Raises what NATS does.
    """
    for name, last in accepted.items():
        try:
            state = (await js.stream_info(name)).state
        except NotFoundError:
            continue
        if state.messages and state.first_seq <= last <= state.last_seq:
            return False
    return True
