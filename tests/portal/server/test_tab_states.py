"""A tab's state is its session's: by no other cookie, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from portal.app import app
from portal.features.keys.state import Keys
from portal.server import tab_states
from portal.server.sockets import VISITOR
from portal.server.tab_states import OwnedTabs
from portal.server.visitors import Visitor
from portal.session.state import Session

pytestmark = pytest.mark.fast

ADA = Visitor("session a", "a", signed_in=True)
BEN = Visitor("session b", "b", signed_in=True)
STRANGER = Visitor("address 192.0.2.1", "", signed_in=False)


class Tabs:
    """The portal's own handler of websockets, with tabs that come and go."""

    def __init__(self, tabs: OwnedTabs, states: dict[str, Any]) -> None:
        self._tabs = tabs
        self.states = states
        self._number = 0

    async def open(self, visitor: Visitor, token: str, auth: object = None) -> str:
        self._number += 1
        sid = f"sid {self._number}"
        environ = {
            "asgi.scope": {VISITOR: visitor, "headers": []},
            "QUERY_STRING": f"token={token}",
        }
        await self._tabs.on_connect(sid, environ, auth)
        return sid

    async def close(self, sid: str) -> None:
        cleaning_up = self._tabs.on_disconnect(sid)
        if cleaning_up is not None:
            await cleaning_up

    def state_of(self, sid: str) -> Any:
        return self.states[self._tabs.sid_to_token[sid]]


@pytest.fixture
async def tabs() -> AsyncIterator[Tabs]:
    assert isinstance(app.event_namespace, OwnedTabs)
    states = app.state_manager.states  # type: ignore[attr-defined]  # of the one in memory
    states.clear()
    with app.set_contexts():
        yield Tabs(app.event_namespace, states)
    states.clear()


async def test_a_token_finds_a_state_with_its_own_cookie_alone(tabs: Tabs) -> None:
    first = await tabs.open(ADA, "t")
    state = tabs.state_of(first)
    await tabs.close(first)
    for other in (BEN, STRANGER):
        sid = await tabs.open(other, "t")
        assert tabs.state_of(sid) is not state
        await tabs.close(sid)
    assert tabs.state_of(await tabs.open(ADA, "t")) is state


async def test_a_duplicated_tab_gets_a_state_of_its_own(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a token of its own, which finds that state with the same cookie alone."""
    tokens: list[str] = []

    async def emit(_tabs: OwnedTabs, event: str, data: str = "", **_to: object) -> None:
        if event == "new_token":
            tokens.append(data)

    monkeypatch.setattr(OwnedTabs, "emit", emit)
    first, second = await tabs.open(ADA, "doubled"), await tabs.open(ADA, "doubled")
    state = tabs.state_of(second)
    assert tabs.state_of(first) is not state
    for sid in (first, second):
        await tabs.close(sid)
    [token] = tokens
    again, other = await tabs.open(ADA, token), await tabs.open(BEN, token)
    assert tabs.state_of(again) is state
    assert tabs.state_of(other) is not state
    for sid in (again, other):
        await tabs.close(sid)


async def test_a_strangers_state_goes_with_its_websocket(tabs: Tabs) -> None:
    for number in range(20):
        await tabs.close(await tabs.open(STRANGER, f"t{number}"))
    assert len(tabs.states) == 0


@pytest.mark.parametrize(
    ("auth", "kept"),
    [
        ({"event": {"name": "none", "payload": {"hashes": ["a"]}}}, ""),
        ({"event": {"name": "none", "payload": {}}}, "Give a reason."),
        ({"event": {"name": "none"}}, "Give a reason."),
        ({"event": None}, "Give a reason."),
        (None, "Give a reason."),
    ],
    ids=["loaded anew", "connected again", "no payload", "no event", "nothing"],
)
async def test_a_page_that_is_loaded_anew_begins_anew(tabs: Tabs, auth: object, kept: str) -> None:
    """And one that had lost its connection goes on where it was."""
    first = await tabs.open(ADA, "again")
    keys = await tabs.state_of(first).get_state(Keys)
    keys.problem = "Give a reason."
    await tabs.close(first)
    again = await tabs.open(ADA, "again", auth)
    assert (await tabs.state_of(again).get_state(Keys)).problem == kept
    await tabs.close(again)


@pytest.mark.parametrize("loaded", [True, False])
async def test_a_tab_that_is_loaded_anew_belongs_to_who_is_signed_in_now(
    tabs: Tabs, loaded: bool
) -> None:
    """Whichever handler of its page comes first; one that was there before is told of it."""
    first = await tabs.open(ADA, "moved")
    session = await tabs.state_of(first).get_state(Session)
    session._whose = "usr_ada/ten_before"
    await tabs.close(first)
    boot = {"event": {"name": "none", "payload": {"hashes": ["a"]}}} if loaded else None
    sid = await tabs.open(ADA, "moved", boot)
    session = await tabs.state_of(sid).get_state(Session)
    tenant = SimpleNamespace(id="ten_now", name="Sample", is_sample=True, clock_at=None)
    me = SimpleNamespace(
        user_id="usr_ada",
        name="Ada",
        email=None,
        role="owner",
        tenant=tenant,
        memberships=[],
        is_operator=False,
        viewing_until=None,
    )
    assert await session._belong_to(me, entering=False) is not loaded
    assert (session.notice == "") is loaded
    assert session._whose == "usr_ada/ten_now"
    await tabs.close(sid)


async def test_states_of_closed_tabs_are_bounded(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab_states, "MOST_LEFT", 3)
    tab = await tabs.open(ADA, "open")
    kept = tabs.state_of(tab)
    for number in range(10):
        await tabs.close(await tabs.open(ADA, f"t{number}"))
    await asyncio.sleep(0)
    assert len(tabs.states) == 4
    assert tabs.state_of(tab) is kept
    await tabs.close(tab)


async def test_what_no_page_sends_is_dropped(tabs: Tabs, caplog: pytest.LogCaptureFixture) -> None:
    sid = await tabs.open(STRANGER, "t")
    for made_up in (
        None,
        "text",
        {"name": 7},
        {"name": "x" * 100_000},
        {"name": "reflex___state____state.hydrate", "payload": "text"},
        {"name": "reflex___state____state.hydrate", "router_data": []},
    ):
        await tabs._tabs.on_event(sid, made_up)
    await tabs._tabs.on_event("no sid", {"name": "reflex___state____state.hydrate"})
    assert caplog.records == []
    await tabs.close(sid)
