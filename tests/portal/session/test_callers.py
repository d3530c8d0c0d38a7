"""Whose session it is, asked of the API on behalf of a person who waits."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from backend_client import Unavailable
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


async def test_a_person_does_not_wait_as_a_program_does(api: FlakyServer) -> None:
    api.replies = [Reply(503), Reply(503)]
    with pytest.raises(Unavailable):
        await Callers().find("a token")
    assert len(api.seen) == 2
    api.replies.append(Reply(503, headers={"retry-after": "5"}))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await Callers().find("a token")
    assert len(api.seen) == 3
    assert time.monotonic() - began < 4
