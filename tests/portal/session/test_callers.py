"""Whose session it is, asked of the API on behalf of a person who waits."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from backend_client import Unauthenticated, Unavailable
from portal.session.guard import Callers
from portal.settings import portal_settings
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.fast


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyServer]:
    """An API that answers as it is told, which the portal reaches."""
    with FlakyServer() as server:
        monkeypatch.setenv("FAREBOX_API_URL", server.url)
        portal_settings.cache_clear()
        yield server
    portal_settings.cache_clear()


async def test_the_api_is_told_from_where_a_session_is_tried(api: FlakyServer) -> None:
    """It slows who tries one after another by that address, and never the portal itself."""
    api.replies = [Reply(401), Reply(401)]
    for address in ("192.0.2.7", None):
        with pytest.raises(Unauthenticated):
            await Callers().find("a token", address=address)
    named, unnamed = api.seen
    assert named.headers["x-forwarded-for"] == "192.0.2.7"
    assert "x-forwarded-for" not in unnamed.headers


async def test_a_person_does_not_wait_as_a_program_does(api: FlakyServer) -> None:
    api.replies = [Reply(503), Reply(503)]
    with pytest.raises(Unavailable):
        await Callers().find("a token")
    assert len(api.seen) == 2
    api.replies.append(Reply(503, headers={"retry-after": "60"}))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await Callers().find("a token")
    assert len(api.seen) == 3
    assert time.monotonic() - began < 30
