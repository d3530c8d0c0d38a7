"""Sessions as they are listed: who is signed in, from where."""

from __future__ import annotations

from backend_client.types.common import Answer, Instant


class Session(Answer):
    """A person's session. ``device`` and ``address`` are as the portal saw them at sign-in.

    ``last_used_at`` is to the minute. ``is_current`` is true of the session that asks.
    """

    id: str
    created_at: Instant
    expires_at: Instant
    last_used_at: Instant | None
    device: str | None
    address: str | None
    is_current: bool = False
