"""API keys: listed, made, shown once, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from backend_client import ClientError
from backend_client.types.accounts import ApiKey, ApiKeyCreate, Application, Scope
from portal.kit.choice import Choice
from portal.kit.formatting import ago, date
from portal.kit.vars import computed
from portal.session.guard import DEVELOPERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session

EXPIRIES = {
    "never": "Never",
    "7": "In 7 days",
    "30": "In 30 days",
    "90": "In 90 days",
    "365": "In a year",
}
SCOPES = {
    Scope.INFERENCE: "Call models",
    Scope.USAGE_READ: "Read usage and spend",
    Scope.EVENTS_WRITE: "Send usage events",
}


@dataclass(frozen=True)
class KeyRow:
    """A key as the list shows it. There is no secret in it: the API has none to give."""

    id: str
    name: str
    shown: str
    application: str
    scopes: str
    models: str
    created: str
    last_used: str
    status: str


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


def key_rows(
    keys: list[ApiKey], applications: list[Application], now: datetime, time_zone: str
) -> list[KeyRow]:
    """The keys as the list shows them: usable ones first, then the newest."""
    names = {application.id: application.name for application in applications}
    rows = [
        KeyRow(
            id=key.id,
            name=key.name,
            shown=f"{key.prefix}…{key.last_four}",
            application=names.get(key.application_id, key.application_id),
            scopes=", ".join(SCOPES.get(scope, scope) for scope in key.scopes),
            models=", ".join(key.models) if key.models else "All models",
            created=date(key.created_at, time_zone),
            last_used=ago(key.last_used_at, now) if key.last_used_at else "Never",
            status=key_status(key, now),
        )
        for key in sorted(keys, key=lambda key: key.created_at, reverse=True)
    ]
    return sorted(rows, key=lambda row: row.status != "active")


def key_status(key: ApiKey, now: datetime) -> str:
    """``active``, ``revoked`` or ``expired``."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


def key_from_form(form: dict[str, Any], now: datetime) -> ApiKeyCreate:
    """What the dialog's form asks for.

    Raises:
        ValidationError: the name is empty or too long, or no scope is chosen.
    """
    models = [
        name.removeprefix("model:") for name, on in form.items() if name.startswith("model:") and on
    ]
    days = str(form.get("expiry", "never"))
    return ApiKeyCreate(
        name=str(form.get("name", "")).strip(),
        application_id=str(form.get("application", "")),
        scopes=[scope for scope in Scope if form.get(f"scope:{scope}")],
        models=models or None,
        expires_at=now + timedelta(days=int(days))
        if days in EXPIRIES and days != "never"
        else None,
    )
