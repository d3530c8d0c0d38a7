"""What the sign-in page offers. The one page for people who are not signed in."""

from __future__ import annotations

from urllib.parse import urlencode

import reflex as rx

from backend_client import INTERACTIVE, AsyncFareboxClient, ClientError
from portal.kit.vars import computed
from portal.routes import safe_path
from portal.session.guard import public
from portal.session.leaving import forget_all
from portal.session.page import PageState
from portal.session.state import Session
from portal.settings import portal_settings

PROBLEMS = {
    "no_provider": "No identity provider is configured here.",
    "provider_unreachable": "The identity provider can’t be reached. Try again in a moment.",
    "provider_refused": "The identity provider did not sign you in.",
    "round_trip_expired": "Signing in took too long. Try again.",
    "not_accepted": "This sign-in could not be accepted. Ask whoever runs this API.",
    "no_local": "Local sign-in is not open: it works only while everything runs on this machine.",
    "session_ended": "Your session has ended. Sign in again.",
    "not_invited": "Nobody has invited you yet: ask for an invitation to the address that you sign "
    "in with.",
    "invitation_not_found": "This invitation is no longer open. Ask for a new one.",
    "invitation_for_another": "This invitation is for another address. Sign in with that one.",
    "already_member": "You are a member there already. Sign in to go on.",
}


class SignIn(PageState, rx.State):
    """The ways to sign in, and why the last try failed."""

    local: bool = False
    oidc: bool = False
    went_wrong: str = ""
    next_path: str = "/"

    @computed
    def log_in(self) -> str:
        """Where the identity provider's sign-in begins."""
        return "/auth/login?" + urlencode({"next": self.next_path})

    @public
    async def look(self) -> None:
        """Ask the API which ways are open; forget whoever was signed in in this tab."""
        session = await self.get_state(Session)
        forget_all(session)
        query = self.router.url.query_parameters
        self.next_path = safe_path(query.get("next"))
        self.went_wrong = PROBLEMS.get(query.get("problem", ""), "")
        try:
            api_url = portal_settings().api_url
            async with AsyncFareboxClient(api_url, profile=INTERACTIVE) as client:
                options = await client.sessions.options()
        except ClientError as problem:
            self._fail(str(problem))
            return
        self.local = options.local
        self.oidc = options.oidc and portal_settings().oidc_configured
        self._ready()
