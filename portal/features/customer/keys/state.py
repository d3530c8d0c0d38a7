"""The customer's API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend_client.types.accounts import ApiKey, ApiKeyRotate, Scope
from portal.features.customer.forms import GRACES, key_from
from portal.features.customer.keys.bounds_rows import BoundRow, read_bounds
from portal.features.customer.state import LOADS, CustomerPage
from portal.kit.choice import Choice
from portal.kit.formatting import ago, date, fine_money
from portal.session.guard import Caller, NextEvents, signed_in
from portal.shared.bounds.words import all_limits_text
from portal.shared.customer.state import Customer

SCOPES = {
    Scope.INFERENCE: "Call models",
    Scope.USAGE_READ: "Read usage and spend",
    Scope.EVENTS_WRITE: "Send usage events",
}


@dataclass(frozen=True)
class KeyRow:
    """A key as the list shows it."""

    id: str
    name: str
    scopes: str
    shown: str
    application: str
    created: str
    used: str
    state: str
    works: bool
    bounds: str = ""


def key_row(key: ApiKey, names: dict[str, str], customer: Customer, now: datetime) -> KeyRow:
    """A key as the list shows it; ``names`` are the applications'."""
    time_zone = customer.time_zone
    bounds = [all_limits_text(key.limits, key.model_limits)]
    if key.budget is not None:
        amount = fine_money(key.budget.amount, customer.currency)
        bounds.append(f"{amount} a {key.budget.period}")
    ended = key.expires_at is not None and key.expires_at <= now
    state = "Revoked" if key.revoked_at else "Expired" if ended else "Active"
    return KeyRow(
        id=key.id,
        name=key.name,
        scopes=", ".join(SCOPES.get(scope, scope.value) for scope in key.scopes),
        shown=f"{key.prefix}…{key.last_four}",
        application=names.get(key.application_id, key.application_id),
        created=date(key.created_at, time_zone),
        used=ago(key.last_used_at, now) if key.last_used_at else "Never",
        state=state,
        works=state == "Active",
        bounds=" · ".join(part for part in bounds if part),
    )


class KeysTab(CustomerPage):
    """Keys, those that work first."""

    keys: list[KeyRow] = []
    bounds: list[BoundRow] = []
    more_bounds: bool = False
    applications: list[Choice] = []

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the keys."""
        tenant = self._wanted
        keys = await caller.client.keys.list(tenant=tenant).all()
        applications = await caller.client.applications.list(tenant=tenant).all()
        names = {application.id: application.name for application in applications}
        now = datetime.now(UTC)
        bounds, more = await read_bounds(caller.client, tenant, applications)
        async with self:
            if self._is_about_another(tenant):
                return
            rows = [key_row(key, names, self.customer, now) for key in keys]
            self.keys = sorted(rows, key=lambda row: not row.works)
            self.bounds, self.more_bounds = bounds, more
            self.applications = [Choice(name_id, name) for name_id, name in names.items()]
            self._show("keys")

    @signed_in(operator=True)
    async def open_create(self, caller: Caller) -> None:
        """Ask for a key to make."""
        self._open("key")

    @signed_in(operator=True)
    async def create(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Make a key for the customer, and show its secret this once."""

        async def act() -> str:
            wanted = key_from(form, datetime.now(UTC))
            created = await caller.client.keys.create(wanted, tenant=self._wanted)
            self._show_once(created.name, created.secret)
            return ""

        return await self._try(act, KeysTab.load)

    @signed_in(operator=True)
    async def open_rotate(self, caller: Caller, key_id: str) -> None:
        """Ask until when the old secret works."""
        for row in self.keys:
            if row.id == key_id and row.works:
                self._open("rotate", key_id, row.name)

    @signed_in(operator=True)
    async def rotate(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the key a new secret, and show it this once."""
        grace = str(form.get("grace", "0"))

        async def act() -> str:
            rotation = ApiKeyRotate(grace_seconds=int(grace))
            rotated = await caller.client.keys.rotate(self.about_id, rotation, tenant=self._wanted)
            self._show_once(rotated.name, rotated.secret)
            return ""

        return await self._try(act, KeysTab.load) if grace in GRACES else None

    @signed_in(operator=True)
    async def revoke(self, caller: Caller, key_id: str) -> NextEvents:
        """Revoke a key for good."""

        async def act() -> str:
            await caller.client.keys.revoke(key_id, tenant=self._wanted)
            return "The key is revoked."

        return await self._try(act, KeysTab.load)


LOADS["keys"] = KeysTab.load
