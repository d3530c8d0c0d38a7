"""The signed-in person, as every page's shell shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import reflex as rx
from reflex.event import EventHandler

from backend_client.types.accounts import Me, Tenant
from portal.kit.formatting import initials, second
from portal.session.guard import (
    DEVELOPERS,
    PLANNERS,
    SPENDERS,
    Caller,
    may_change,
    owner,
    signed_in,
)
from portal.session.leaving import forget_all, forget_pages
from portal.session.page import FAILED, LOADING
from portal.session.rhythm import PRESENCES, SEEN, Presence
from portal.settings import portal_settings

PAGE_LOADS: dict[str, Sequence[EventHandler]] = {}
"""What loads each page once it is known who is there, by the package of its states; the table of
the features fills it."""


@dataclass(frozen=True)
class TenantChoice:
    """A tenant the person can switch to."""

    id: str
    name: str
    is_sample: bool


class Session(rx.State):
    """Who is signed in and for which tenant. The parent of every page's state.

    ``tenant_clock`` and ``customer_clock`` are where the test clocks stand of the tenant and of the
    customer that an operator's page is about; empty for those in real time.
    """

    identified: bool = False
    person: str = ""
    person_initials: str = ""
    email: str = ""
    role: str = ""
    tenant_id: str = ""
    tenant: str = ""
    tenant_is_sample: bool = False
    tenant_clock: str = ""
    customer_clock: str = ""
    customer_clock_page: str = ""
    tenants: list[TenantChoice] = []
    develops: bool = False
    sees_spend: bool = False
    plans_change: bool = False
    operates: bool = False
    viewing: bool = False
    api_url: str = ""
    notice: str = ""

    _whose: str = ""
    _begun: bool = False
    _presence: Presence = SEEN

    def _fail(self, why: str) -> None:
        """Say why an action did not happen, in the shell's notice."""
        self.notice = why

    async def _belong_to(self, me: Me, *, entering: bool) -> bool:
        """Make this tab's state the caller's: what it held of another person or tenant goes.

        Every guarded handler of this state and its substates begins with it. Tells whether the
        handler was meant for another, which it can't be when it is ``entering`` a page.
        """
        session = await self.get_state(Session)
        whose, before = owner(me), session._whose
        # On a page that was just loaded, any of its handlers may come before the one that enters
        entering, session._begun = entering or session._begun, False
        if whose == before:
            return False
        forget_all(session)
        session._whose = whose
        session._show_person(me)
        if entering or not before:
            return False
        session.notice = f"This tab acts for {me.tenant.name} now. Nothing was changed."
        return True

    def _begin_anew(self) -> None:
        """Forget what the tab's pages held: the browser has loaded one of them anew."""
        forget_pages(self)
        self.notice, self._begun, self._presence = "", True, SEEN

    def _show_person(self, me: Me) -> None:
        self.identified = True
        self.person = me.name
        self.person_initials = initials(me.name)
        self.email = me.email or ""
        self.role = str(me.role)
        self.tenant_id = me.tenant.id
        self.tenant = me.tenant.name
        self.tenant_is_sample = me.tenant.is_sample
        self.tenant_clock = clock_text(me.tenant)
        self.tenants = [
            TenantChoice(held.tenant.id, held.tenant.name, held.tenant.is_sample)
            for held in me.memberships
        ]
        self.api_url = portal_settings().shown_api_url
        self.develops = may_change(me, DEVELOPERS)
        self.sees_spend = me.role in SPENDERS
        self.plans_change = may_change(me, PLANNERS)
        self.viewing = me.viewing_until is not None
        self.operates = me.is_operator

    @signed_in(enters=True)
    async def enter(self, caller: Caller, package: str) -> Sequence[Any]:
        """Show who is signed in, then load the page whose states are in ``package``.

        The states of other pages go: they have been left. Where it can't be asked who is there,
        nothing else is asked: each of the page's own handlers would wait as long once more.
        """
        forget_pages(self, within=package)
        self.customer_clock = self.customer_clock_page = ""
        self._show_person(caller.me)
        return PAGE_LOADS.get(package, ())

    async def _begin_to_enter(self, package: str) -> bool:
        """Show that a page loads again which had failed. Tells whether it had."""
        pages = [page for page in await self._pages(package) if page.phase == FAILED]
        for page in pages:
            page.phase, page.problem = LOADING, ""
        return bool(pages)

    async def _fail_to_enter(self, why: str, package: str) -> None:
        """Say on the page itself why it can't be loaded, also where it showed something before.

        Nothing would bring that up to date.
        """
        forget_pages(self)
        for page in await self._pages(package):
            page.phase, page.problem = FAILED, why

    async def _pages(self, package: str) -> list[Any]:
        """The states that a page's load loads."""
        states = {load.state for load in PAGE_LOADS.get(package, ()) if load.state is not None}
        return [await self.get_state(state) for state in states]

    @signed_in()
    async def attend(self, caller: Caller, presence: str) -> None:
        """Note whether somebody sees the page: nobody waits for what a hidden one shows."""
        self._presence = next((each for each in PRESENCES if each == presence), SEEN)

    @signed_in()
    async def stumble(self, caller: Caller) -> None:
        """Say that something failed which nobody foresaw; the log has it."""
        self.notice = "Something went wrong here. Try again, or reload the page."

    @signed_in()
    async def dismiss_notice(self, caller: Caller) -> None:
        """Put the notice away."""
        self.notice = ""


def clock_text(tenant: Tenant) -> str:
    """Where a tenant's test clock stands, on its own clocks; empty for one in real time."""
    return "" if tenant.clock_at is None else second(tenant.clock_at, tenant.time_zone)
