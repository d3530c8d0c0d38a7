"""API keys: listed, made, shown once, revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from backend_client import ClientError
from portal.features.keys.forms import key_from_form
from portal.features.keys.rows import KeyRow, key_rows
from portal.kit.choice import Choice
from portal.kit.vars import computed
from portal.session.guard import DEVELOPERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session


class Keys(PageState, Session):
    """The keys page. A new key's secret is for the dialog that made it alone.

    The browser gets it on the connection that made the key. A page that is loaded has a connection
    of its own, and so gets none: what is sent to it first is all of the tab's state.
    """

    keys: list[KeyRow] = []
    applications: list[Choice] = []
    models: list[Choice] = []
    creating: bool = False
    form_problem: str = ""
    secret_name: str = ""
    _secret: str = ""
    _secret_connection: str = ""

    @computed
    def secret(self) -> str:
        """The new key's secret on the connection that made it, else empty."""
        here = self.router.session.session_id == self._secret_connection
        return self._secret if here else ""

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.creating:
            self.form_problem = why
        else:
            super()._fail(why)

    @signed_in()
    async def arrive(self, caller: Caller) -> None:
        """Begin without the dialog that was open when the page was left, and without its secret."""
        self.creating = False
        self._forget_secret()

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the keys, and what a new one can be made for."""
        keys = await caller.client.keys.list().all()
        applications = await caller.client.applications.list().all()
        models = [model for model in await caller.client.models.list().all() if model.available]
        rows = key_rows(keys, applications, datetime.now(UTC), caller.me.tenant.time_zone)
        async with self:
            self.keys = rows
            self.applications = [
                Choice(application.id, application.name) for application in applications
            ]
            self.models = [Choice(model.id, model.name) for model in models]
            self._ready()

    @signed_in(roles=DEVELOPERS)
    async def open_form(self, caller: Caller, shown: bool) -> None:
        """Open or close the dialog that makes a key; closing it forgets the secret."""
        self.creating = shown
        self._forget_secret()

    @signed_in(roles=DEVELOPERS)
    async def create(self, caller: Caller, form: dict[str, Any]) -> Any:
        """Make a key and show its secret, this once."""
        try:
            request = key_from_form(form, datetime.now(UTC))
            created = await caller.client.keys.create(request)
        except ValidationError as problem:
            self.form_problem = "; ".join(error["msg"] for error in problem.errors())
            return None
        except ClientError as problem:
            self.form_problem = str(problem)
            return None
        self.form_problem = ""
        self.secret_name, self._secret = created.name, created.secret
        self._secret_connection = self.router.session.session_id
        return Keys.load

    @signed_in(roles=DEVELOPERS)
    async def revoke(self, caller: Caller, key_id: str) -> Any:
        """Revoke a key; calls with it are refused within a second."""
        await caller.client.keys.revoke(key_id)
        return Keys.load

    def _forget_secret(self) -> None:
        self.form_problem = self.secret_name = ""
        self._secret = self._secret_connection = ""
