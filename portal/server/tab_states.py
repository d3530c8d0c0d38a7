"""Whose a tab's state is: a session's own, by the cookie; and how many are kept.

Reflex finds a tab's state by a token that the browser sends in the websocket's URL, and keeps it
for an hour. Whoever knows the token of a closed tab would be shown what was in it. Here the state's
name is made from the token and the session's cookie together, so that the token alone finds
nothing; a stranger's state goes with its websocket.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from hashlib import sha256
from typing import Any

import reflex as rx
from reflex.app import EventNamespace
from reflex.istate.manager.memory import StateManagerMemory
from reflex.istate.manager.token import BaseStateToken
from reflex_base.registry import RegistrationContext

from portal.server.sockets import visitor_of
from portal.server.visitors import Visitor
from portal.session.state import Session

MOST_LEFT = 1000
"""States of closed tabs that are kept for a browser that comes back."""
LONGEST_TOKEN = 64


class OwnedTabs(EventNamespace):
    """Reflex's handler of websocket messages, for states that belong to sessions."""

    def __init__(self, namespace: str, app: rx.App) -> None:
        super().__init__(namespace, app)
        self._visitors: dict[str, Visitor] = {}
        self._left: OrderedDict[str, None] = OrderedDict()
        self._loading: set[str] = set()
        with app.set_contexts():
            self._handlers = RegistrationContext.get().event_handlers

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Note whose websocket it is before Reflex finds its state."""
        self._visitors[sid] = visitor_of(environ["asgi.scope"])
        if _loads_page(auth):
            self._loading.add(sid)
        try:
            await super().on_connect(sid, environ, auth)
        finally:
            self._loading.discard(sid)

    async def link_token_to_sid(self, sid: str, token: str, *, update_state: bool = True) -> None:
        """Give the tab the state of its token and its session, and of no other's."""
        name = self._state_name(sid, token)
        if name in self._token_manager.token_to_socket:
            # The tab was duplicated. Reflex gives the new one a token; it has to be owned as well
            token = str(uuid.uuid4())
            await self.emit("new_token", token, to=sid)
            name = self._state_name(sid, token)
        self._left.pop(name, None)
        if sid in self._loading:
            await self._begin_anew(name)
        await super().link_token_to_sid(sid, name, update_state=update_state)

    def on_disconnect(self, sid: str) -> Any:
        """Drop a stranger's state; keep a session's for a while, but not too many."""
        visitor, name = self._visitors.pop(sid, None), self.sid_to_token.get(sid)
        cleaning_up = super().on_disconnect(sid)
        if name is not None and visitor is not None:
            self._left[name] = None
            self._left.move_to_end(name, last=visitor.signed_in)
            if not visitor.signed_in:
                self._drop(name)
            while len(self._left) > MOST_LEFT:
                self._drop(next(iter(self._left)))
        return cleaning_up

    async def on_event(self, sid: str, data: Any) -> None:
        """Pass on what a page can send; drop what else a client makes up, without a word of it."""
        if sid not in self.sid_to_token or not isinstance(data, dict):
            return
        name = data.get("name")
        if not isinstance(name, str) or name not in self._handlers:
            return
        if not isinstance(data.get("payload", {}), dict):
            return
        if not isinstance(data.get("router_data", {}), dict):
            return
        await super().on_event(sid, data)

    def _state_name(self, sid: str, token: str) -> str:
        owner = self._visitors[sid].owner
        return sha256(f"{owner} {token[:LONGEST_TOKEN]}".encode()).hexdigest()

    async def _begin_anew(self, name: str) -> None:
        """Forget what a tab's pages held before: the browser has loaded one of them anew."""
        manager, state = self.app.state_manager, self.app._state
        if not isinstance(manager, StateManagerMemory) or state is None:
            return
        token = BaseStateToken(ident=name, cls=state)
        if token.cache_key not in manager.states:
            return
        async with manager.modify_state(token) as root:
            (await root.get_state(Session))._begin_anew()
            root._clean()

    def _drop(self, name: str) -> None:
        """Forget a state, which Reflex has no public way for but to wait an hour."""
        self._left.pop(name, None)
        manager, state = self.app.state_manager, self.app._state
        if isinstance(manager, StateManagerMemory) and state is not None:
            manager._purge_token(BaseStateToken(ident=name, cls=state))


def _loads_page(auth: Any) -> bool:
    """Tell a page that was loaded from one that has lost its connection for a while.

    The first says with its connection which defaults it was compiled with.
    """
    event = auth.get("event") if isinstance(auth, dict) else None
    payload = event.get("payload") if isinstance(event, dict) else None
    return isinstance(payload, dict) and "hashes" in payload


def own_tabs(app: rx.App) -> None:
    """Let the app's states belong to sessions. Its handlers are registered by then."""
    if app.event_namespace is None or app.sio is None:
        raise RuntimeError("Reflex has made no websocket for this app.")
    tabs = OwnedTabs(app.event_namespace.namespace, app)
    app._event_namespace = tabs
    app.sio.register_namespace(tabs)
