"""Sessions as they are listed: who is signed in, from where."""

from __future__ import annotations

from pydantic import Field

from backend_client.types.common import Answer, Instant


class Session(Answer):
    """A person's session. ``device`` and ``address`` are as the portal saw them at sign-in.

    ``last_used_at`` is to the minute. ``is_current`` is true of the session that asks.
    """

    id: str
    created_at: Instant
    expires_at: Instant
    last_used_at: Instant | None = Field(
        description="When a request was last made with it, to the minute; null if none was."
    )
    device: str | None = Field(
        description="The browser's User-Agent at sign-in; null if the portal did not see one."
    )
    address: str | None = Field(
        description="The network address at sign-in; null if the portal did not see one."
    )
    is_current: bool = Field(False, description="Whether it is the session that asks.")
