"""Who has a websocket open, and how many of them there may be.

A visitor is a signed-in session, or a stranger: an address without a session that the API knows.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import HTTPConnection

from backend_client import ClientError, Unauthenticated
from edge.attempts import Attempts, network_of
from portal.session.guard import Callers
from portal.settings import PortalSettings

MOST_STRANGERS = 500
MOST_OF_A_STRANGER = 100
"""Of one address: many people may share one."""
MOST_OF_A_SESSION = 200
UNKNOWN_SESSIONS = 20
"""Cookies of an address that the API is asked about at once, when it knows none of them."""
PATIENCE_SECONDS = 5.0
"""How long a browser waits for its websocket while the API does not answer."""
VISITS = 120
"""Websockets that a stranger's address may open at once; then two a second."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opened a websocket. ``owner`` is whose the states of its tabs are: its session's."""

    holder: str
    owner: str
    signed_in: bool


class TooManyVisitors(Exception):
    """No more websockets for this visitor, or for strangers."""


class Visitors:
    """The visitors with a websocket open, in this process."""

    def __init__(self, settings: PortalSettings, callers: Callers) -> None:
        self._cookie = settings.session_cookie
        self._callers = callers
        self._open: Counter[str] = Counter()
        self._strangers = 0
        self._unknown = Attempts(burst=UNKNOWN_SESSIONS, every_seconds=1)
        self._visits = Attempts(burst=VISITS, every_seconds=0.5)

    @contextmanager
    def visit(self, visitor: Visitor) -> Iterator[None]:
        """Count a websocket for as long as the block lasts; raise ``TooManyVisitors``."""
        stranger = not visitor.signed_in
        most = MOST_OF_A_STRANGER if stranger else MOST_OF_A_SESSION
        if self._open[visitor.holder] >= most or (stranger and self._strangers >= MOST_STRANGERS):
            raise TooManyVisitors
        self._open[visitor.holder] += 1
        self._strangers += stranger
        try:
            yield
        finally:
            self._strangers -= stranger
            self._open[visitor.holder] -= 1
            if not self._open[visitor.holder]:
                del self._open[visitor.holder]

    async def identify(self, connection: HTTPConnection) -> Visitor:
        """Return who opens a websocket; raise ``TooManyVisitors`` if a stranger does so too often.

        While the API can't be asked, a session is a stranger with states of its own.
        """
        token = connection.cookies.get(self._cookie, "")
        address = network_of(connection.client.host if connection.client else "")
        owner = sha256(token.encode()).hexdigest() if token else ""
        if token and not self._unknown.wait_seconds(address):
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._callers.find(token)
            except Unauthenticated:
                self._unknown.count(address)
            except (ClientError, TimeoutError):
                pass
            else:
                return Visitor(f"session {owner}", owner, signed_in=True)
        if self._visits.wait_seconds(address):
            raise TooManyVisitors
        self._visits.count(address)
        return Visitor(f"address {address}", owner, signed_in=False)
