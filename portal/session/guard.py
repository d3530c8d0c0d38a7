"""Who is behind an event: every handler of the portal asks here first.

Any websocket client can call any public handler with any arguments, whatever its page shows. So
there is one decorator, ``signed_in``, on every handler; the sign-in page's alone are ``public``.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
import typing
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeAlias, TypeVarTuple

import reflex as rx
from reflex.event import EventActionsMixin, EventCallback
from reflex.istate.proxy import StateProxy
from starlette.requests import cookie_parser

from backend_client import INTERACTIVE, AsyncFareboxClient, ClientError, Unauthenticated
from backend_client.types.accounts import Me, Role
from portal import routes
from portal.session.tabs import page_load
from portal.settings import portal_settings

log = logging.getLogger(__name__)

DEVELOPERS = frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER, Role.OPERATOR})
"""Who may call models and make keys. The backend decides; the portal only doesn't offer it."""
MANAGERS = frozenset({Role.OWNER, Role.ADMIN, Role.OPERATOR})
"""Who may change who belongs to the tenant, and read its audit."""
SPENDERS = DEVELOPERS | {Role.BILLING}
"""Who may see what usage costs."""
PLANNERS = frozenset({Role.OWNER, Role.ADMIN, Role.BILLING, Role.OPERATOR})
"""Who may move the tenant to another plan."""
CHANGING = frozenset({DEVELOPERS, MANAGERS, PLANNERS})
"""Handlers for these change something, or begin to: an operator who looks on runs none of them."""

LOOKS_ON = "You look at this organization, and can change nothing. Leave the view first."

FRESH_SECONDS = 5.0
MOST_CALLERS = 1000
GUARD_MARK = "_farebox_guard"
"""Where a handler says whom it lets in: ``public``, ``signed_in`` or ``operator``."""

Method = Callable[..., Any]
NextEvents: TypeAlias = EventActionsMixin | Sequence[EventActionsMixin] | None
"""What a handler returns: the events that follow, such as a redirect; None for none."""
Arguments = TypeVarTuple("Arguments")


def may_change(me: Me, roles: frozenset[Role]) -> bool:
    """Tell whether somebody has one of the ``roles`` and does not only look on."""
    return me.role in roles and me.viewing_until is None


def owner(me: Me) -> str:
    """Whose data a tab's state holds: a person's, for one tenant, or of who looks at it."""
    return f"{me.user_id}/{me.tenant.id}{'/view' if me.viewing_until else ''}"


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in person of one event, and a client that acts as them."""

    me: Me
    client: AsyncFareboxClient

    @property
    def sees(self) -> Hashable:
        """What the API lets this caller read: who has the same may be shown the same answer."""
        return (self.me.tenant.id, self.me.role, self.me.is_operator)

    def at(self, address: str | None) -> Caller:
        """The person at a network address, which the API has in its audit."""
        if not address:
            return self
        return replace(self, client=self.client.with_headers(forwarded_for(address)))


def forwarded_for(address: str) -> dict[str, str]:
    """The header that says for whom a request is made."""
    return {"x-forwarded-for": address}


class Callers:
    """Clients by session token, so that events share connections and ask ``/v1/me`` seldom.

    Bounded: the longest unused is dropped first. Lives outside state, where no browser sees it.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    async def find(
        self, token: str, *, address: str | None = None, fresh_seconds: float = FRESH_SECONDS
    ) -> Caller:
        """The caller of a session token, known to be good ``fresh_seconds`` ago at most.

        ``address`` is where the request comes from: the API slows who sends one bad token after
        another by it.

        Raises:
            Unauthenticated: the session has ended.
            ClientError: the API can't be reached.
        """
        slot = sha256(token.encode()).hexdigest()
        entry = self._entries.get(slot)
        if entry and time.monotonic() - entry[1] < fresh_seconds:
            self._entries.move_to_end(slot)
            return entry[0]
        client = (
            entry[0].client
            if entry
            else AsyncFareboxClient(portal_settings().api_url, token, profile=INTERACTIVE)
        )
        try:
            asking = client.with_headers(forwarded_for(address)) if address else client
            me = await asking.me.get()
        except Unauthenticated:
            self._entries.pop(slot, None)
            await client.close()
            raise
        caller = Caller(me, client)
        self._entries[slot] = (caller, time.monotonic())
        if len(self._entries) > MOST_CALLERS:
            _, (oldest, _) = self._entries.popitem(last=False)
            await oldest.client.close()
        return caller

    def forget(self, token: str) -> None:
        """Ask the API again at the next event: the session's tenant or role has changed."""
        slot = sha256(token.encode()).hexdigest()
        if entry := self._entries.get(slot):
            self._entries[slot] = (entry[0], float("-inf"))


callers = Callers()


def session_token(state: rx.State) -> str:
    """The session token in the cookie that came with the websocket; empty without one."""
    return cookie_parser(state.router.headers.cookie).get(portal_settings().session_cookie, "")


def signed_in(
    *,
    roles: frozenset[Role] | None = None,
    operator: bool = False,
    enters: bool = False,
    background: bool = False,
    supersedes: bool = False,
) -> Callable[[Callable[[Any, Caller, *Arguments], Any]], EventCallback[*Arguments]]:
    """Make a state's method an event handler that only a signed-in person with a role can run.

    The method takes the ``Caller`` after ``self``; events don't carry it. Without a good session
    the browser goes to the sign-in page; without the role, or when the API refuses, ``_fail`` of
    the state gets the reason. ``operator`` lets only the API's seller in. ``background`` and
    ``supersedes`` are Reflex's.

    When the session has moved to another tenant since the tab was loaded, nothing is done, for it
    was meant for the other; the page is reloaded. ``enters`` is for what begins a page's load.
    """

    def guard(method: Method) -> EventCallback[*Arguments]:
        # ``self`` is a ``Session`` or a state below it, whose module imports this one
        async def handler(self: Any, *args: object, **kwargs: object) -> AsyncIterator[Any]:
            try:
                # Shown before the API is asked, which may take long to answer
                if enters and await self._begin_to_enter(*args, **kwargs):
                    yield None
                person = await callers.find(session_token(self))
                caller = person.at(self.router.session.client_ip)
                async with changing(self):
                    moved = await self._belong_to(caller.me, entering=enters)
                if moved:
                    for event in page_load(self):
                        yield event
                    return
                if roles is not None and caller.me.role not in roles:
                    async with changing(self):
                        self._fail(f"Your role here ({caller.me.role}) can't do this.")
                    return
                if roles in CHANGING and caller.me.viewing_until is not None:
                    async with changing(self):
                        self._fail(LOOKS_ON)
                    return
                if operator and not caller.me.is_operator:
                    async with changing(self):
                        self._fail("Only the operator of this API can do this.")
                    return
                outcome = method(self, caller, *args, **kwargs)
                if inspect.isasyncgen(outcome):
                    async with contextlib.aclosing(outcome):
                        async for event in outcome:
                            yield event
                else:
                    yield await outcome
            except Unauthenticated:
                yield rx.redirect(routes.sign_in(self.router.url.path, self.router.url.query))
            except ClientError as problem:
                log.info("%s: %s", method.__qualname__, problem)
                async with changing(self):
                    if enters:
                        await self._fail_to_enter(str(problem), *args, **kwargs)
                    else:
                        self._fail(str(problem))

        event: EventCallback[*Arguments] = _as_event(
            handler, method, background=background, supersedes=supersedes, skip=2
        )
        setattr(handler, GUARD_MARK, "operator" if operator else "signed_in")
        return event

    return guard


def public(method: Callable[[Any, *Arguments], Any]) -> EventCallback[*Arguments]:
    """Make a method an event handler that anybody can run: the sign-in page's."""

    run: Method = method

    async def handler(self: rx.State, *args: object, **kwargs: object) -> Any:
        return await run(self, *args, **kwargs)

    event: EventCallback[*Arguments] = _as_event(
        handler, method, background=False, supersedes=False, skip=1
    )
    setattr(handler, GUARD_MARK, "public")
    return event


@contextlib.asynccontextmanager
async def changing(state: rx.State) -> AsyncIterator[None]:
    """Hold the state's lock where it isn't held: in a background handler."""
    if isinstance(state, StateProxy) and not state._is_mutable():
        async with state:
            yield
    else:
        yield


def _as_event(
    handler: Method, method: Method, *, background: bool, supersedes: bool, skip: int
) -> Any:
    """Dress a handler as the method it guards, less the arguments that events don't carry."""
    signature = inspect.signature(method)
    first, *rest = signature.parameters.values()
    carried = rest[skip - 1 :]
    hints = typing.get_type_hints(method)
    handler.__name__ = method.__name__
    handler.__qualname__ = method.__qualname__
    handler.__module__ = method.__module__
    handler.__doc__ = method.__doc__
    handler.__annotations__ = {
        parameter.name: hints[parameter.name] for parameter in carried if parameter.name in hints
    }
    vars(handler)["__signature__"] = signature.replace(
        parameters=[first, *(p.replace(annotation=hints.get(p.name, p.empty)) for p in carried)],
        return_annotation=signature.empty,
    )
    return rx.event(handler, background=background, supersedes=supersedes)
