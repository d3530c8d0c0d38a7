"""API keys: listed, made, changed, rotated, disabled, revoked; a secret is shown once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from backend_client import ClientError, Forbidden
from backend_client.types.accounts import ApiKey, ApiKeyChange, ApiKeyCreated, Application
from backend_client.types.limits import KeyBudgetUse
from portal.features.keys.forms import (
    FIELDS,
    by_field,
    change_from_form,
    key_from_form,
    rotation_from_form,
)
from portal.features.keys.rows import KeyEdit, KeyRow, key_edit, key_rows, key_status
from portal.kit.choice import Choice
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session import polling
from portal.session.guard import DEVELOPERS, MANAGERS, Caller, NextEvents, may_change, signed_in
from portal.session.live import shared
from portal.session.page import PageState
from portal.session.shown_once import ShownOnce
from portal.session.state import Session
from portal.shared.bounds.uses import budget_uses
from portal.shell.toasts import toast

KeysInUse = tuple[list[ApiKey], list[Application], dict[str, KeyBudgetUse]]
_LONGEST_SEARCH = 200
_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Keys(ShownOnce, PageState, Session):
    """The keys page. A new secret is for the dialog that made it alone.

    ``search`` is what is looked for, ``cleared`` how often a button emptied it; with an
    ``application`` its keys alone are shown, and with ``owner`` those of people or those of service
    accounts.
    ``dialog`` is ``create``, ``edit``, ``rotate`` or empty; ``edited`` what its form starts with.
    """

    keys: list[KeyRow] = []
    applications: list[Choice] = []
    models: list[Choice] = []
    search: str = ""
    application: str = ""
    application_name: str = ""
    owner: str = ""
    manages: bool = False
    cleared: int = 0
    dialog: str = ""
    edited: KeyEdit = KeyEdit()
    problems: dict[str, str] = _NO_PROBLEMS
    _members: dict[str, str] = {}

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.dialog:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @computed
    def query(self) -> str:
        """What is looked for, as the query of an address."""
        kept = {"search": self.search, "application": self.application, "owner": self.owner}
        return urlencode({name: value for name, value in kept.items() if value})

    @signed_in()
    async def arrive(self, caller: Caller) -> None:
        """Begin with the search of the address, and without the dialog that was open before."""
        asked = self.router.url.query_parameters
        self.search = asked.get("search", "").strip()[:_LONGEST_SEARCH]
        self.application = asked.get("application", "").strip()[:_LONGEST_SEARCH]
        self.owner = _owner(asked.get("owner", ""))
        self._close()

    @signed_in()
    async def find(self, caller: Caller, text: str) -> NextEvents:
        """Show the keys with a text in their name, or as their id or last four letters."""
        self.search = text.strip()[:_LONGEST_SEARCH]
        return Keys.refresh

    @signed_in()
    async def show_owner(self, caller: Caller, owner: str) -> NextEvents:
        """Show the keys of people or of service accounts alone, or all."""
        self.owner = _owner(owner)
        return Keys.refresh

    @signed_in()
    async def clear(self, caller: Caller) -> NextEvents:
        """Show all keys."""
        self.search = self.application = self.owner = ""
        self.cleared += 1
        return Keys.refresh

    @signed_in(background=True)
    async def load(self, caller: Caller) -> Sequence[Any]:
        """Load the keys and what a form offers, again and again: use and countdowns go on."""
        applications = await caller.client.applications.list().all()
        models = [model for model in await caller.client.models.list().all() if model.available]
        members = await caller.client.members.list().all()
        async with self:
            self._members = {member.user_id: member.name for member in members}
            self.manages = may_change(caller.me, MANAGERS)
            self.applications = [
                Choice(application.id, application.name)
                for application in applications
                if application.archived_at is None
            ]
            self.application_name = next(
                (each.name for each in applications if each.id == self.application),
                self.application,
            )
            self.models = [Choice(model.id, model.name) for model in models]

        async def look() -> None:
            rows = await self._rows(caller, fresh_seconds=polling.KEYS / 2)
            async with self:
                self._show_rows(rows)

        return await self._follow(caller, look, polling.KEYS)

    @signed_in(background=True, supersedes=True)
    async def refresh(self, caller: Caller) -> None:
        """Load the keys once more: one of them has changed."""
        rows = await self._rows(caller, fresh_seconds=0)
        async with self:
            self._show_rows(rows)

    def _show_rows(self, rows: list[KeyRow]) -> None:
        if rows != self.keys:  # what has not changed is not sent
            self.keys = rows
        self._ready()

    async def _rows(self, caller: Caller, *, fresh_seconds: float) -> list[KeyRow]:
        """The keys of the search; what another tab was answered ``fresh_seconds`` ago will do."""
        search = self.search

        async def ask() -> KeysInUse:
            keys = await caller.client.keys.list(search=search or None).all()
            applications = await caller.client.applications.list().all()
            return keys, applications, await _budgets_used(caller, keys, datetime.now(UTC))

        listed, applications, uses = await shared(
            caller, ("keys", search), ask, fresh_seconds=fresh_seconds, of_usage=False
        )
        keys = [
            key
            for key in listed
            if self.application in ("", key.application_id)
            and self.owner in ("", "service" if key.service_account else "person")
        ]
        zone, now = caller.me.tenant.time_zone, datetime.now(UTC)
        return key_rows(keys, applications, now, zone, uses, self._members)

    @signed_in(roles=DEVELOPERS)
    async def open_form(self, caller: Caller, shown: bool) -> None:
        """Open or close the dialog that makes a key; closing it forgets the secret."""
        self._close()
        if shown:
            first = self.applications[0].id if self.applications else ""
            self.edited, self.dialog = KeyEdit(application=first), "create"

    @signed_in(roles=DEVELOPERS)
    async def close(self, caller: Caller) -> None:
        """Close the dialog; a secret in it is forgotten."""
        self._close()

    @signed_in(roles=DEVELOPERS)
    async def edit(self, caller: Caller, key_id: str) -> None:
        """Open the dialog that changes a key."""
        key = await caller.client.keys.get(key_id)
        self._close()
        self.edited, self.dialog = key_edit(key, caller.me.tenant.time_zone), "edit"

    @signed_in(roles=DEVELOPERS)
    async def ask_rotation(self, caller: Caller, key_id: str, name: str) -> None:
        """Open the dialog that gives a key a new secret."""
        self._close()
        self.edited, self.dialog = KeyEdit(id=key_id, name=name), "rotate"

    @signed_in(roles=DEVELOPERS)
    async def create(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Make a key and show its secret, this once."""
        try:
            created = await caller.client.keys.create(key_from_form(form, datetime.now(UTC)))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._show(created)
        return Keys.refresh

    @signed_in(roles=DEVELOPERS)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Change the key that the dialog is about."""
        try:
            offered = {model.id for model in self.models}
            hidden = [name for name in self.edited.models if name not in offered]
            change = change_from_form(form, datetime.now(UTC), not_offered=hidden)
            await caller.client.keys.update(self.edited.id, change)
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        name = self.edited.name
        self._close()
        return [Keys.refresh, toast(f"Saved {name}.")]

    @signed_in(roles=DEVELOPERS)
    async def rotate(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the key that the dialog is about a new secret, and show it this once."""
        self._show(await caller.client.keys.rotate(self.edited.id, rotation_from_form(form)))
        return Keys.refresh

    @signed_in(roles=DEVELOPERS)
    async def end_grace(self, caller: Caller, key_id: str) -> NextEvents:
        """End the earlier secrets of a key; its present one goes on."""
        await caller.client.keys.end_grace(key_id)
        return [Keys.refresh, toast("The old secrets have ended.")]

    @signed_in(roles=DEVELOPERS)
    async def enable(self, caller: Caller, key_id: str, enabled: bool) -> NextEvents:
        """Disable a key for a while, or enable it again."""
        key = await caller.client.keys.update(key_id, ApiKeyChange(enabled=enabled))
        return [Keys.refresh, toast(f"{'Enabled' if enabled else 'Disabled'} {key.name}.")]

    @signed_in(roles=DEVELOPERS)
    async def revoke(self, caller: Caller, key_id: str) -> NextEvents:
        """Revoke a key; calls with it are refused within a second."""
        await caller.client.keys.revoke(key_id)
        return [Keys.refresh, toast("Revoked the key.")]

    def _show(self, created: ApiKeyCreated) -> None:
        self.problems = _NO_PROBLEMS
        self._show_once(created.name, created.secret)

    def _close(self) -> None:
        self.dialog, self.problems = "", _NO_PROBLEMS
        self._forget_secret()


def _owner(wanted: str) -> str:
    return wanted if wanted in ("person", "service") else ""


async def _budgets_used(
    caller: Caller, keys: Sequence[ApiKey], now: datetime
) -> dict[str, KeyBudgetUse]:
    """What is used of the budgets of keys that work; of none for those who may not see spend."""
    asked = [
        key
        for key in keys
        if key.budget is not None and key_status(key, now) in {"active", "disabled"}
    ]
    try:
        return await budget_uses(
            {key.id: partial(caller.client.keys.budget, key.id) for key in asked}
        )
    except Forbidden:
        return {}
