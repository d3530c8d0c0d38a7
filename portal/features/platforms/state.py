"""Who is on which billing platform, and what is behind, parked and different there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from backend_client import ClientError
from backend_client.types.accounts import Tenant
from portal.features.platforms.forms import (
    FIELDS,
    backfill_from,
    by_field,
    connect_from,
    skip_from,
)
from portal.features.platforms.rows import (
    ConnectionRow,
    DriftRow,
    ObjectRow,
    ParkedRow,
    PlatformRow,
    StreamRow,
    connection_row,
    drift_row,
    object_row,
    parked_row,
    platform_row,
    stream_row,
)
from portal.features.platforms.standing import SHOWN, Standing, standing_of
from portal.kit.choice import Choice
from portal.kit.form_problems import FormProblems, problems_by_field, text_of
from portal.kit.formatting import count
from portal.session import polling
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.live import shared
from portal.session.page import PageState
from portal.session.state import Session

_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Platforms(PageState, Session):
    """Platforms, connections, streams, parked dispatches and differences, as they are now.

    ``dialog`` is the one that is open, about ``subject``: a tenant, or a dispatch. ``done`` says
    what an act of the person's has led to.
    """

    platforms: list[PlatformRow] = []
    usable: list[Choice] = []
    preset: str = ""
    connections: list[ConnectionRow] = []
    streams: list[StreamRow] = []
    parked: list[ParkedRow] = []
    differences: list[DriftRow] = []
    objects: list[ObjectRow] = []

    dialog: str = ""
    about: str = ""
    problems: dict[str, str] = _NO_PROBLEMS
    done: str = ""

    _subject: str = ""

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.dialog:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page, and follow until the browser leaves it."""

        fresh_seconds = 0.0

        async def look() -> None:
            nonlocal fresh_seconds
            # First as it is now, for an act leads here; then as any operator's tab has asked
            await self._read(caller, fresh_seconds)
            fresh_seconds = polling.PLATFORMS / 2

        return await self._follow(caller, look, polling.PLATFORMS)

    @signed_in(operator=True)
    async def open_connect(self, caller: Caller) -> None:
        """Ask which customer goes over to which platform."""
        self._open("connect", "", "")

    @signed_in(operator=True)
    async def open_backfill(self, caller: Caller, tenant_id: str) -> None:
        """Ask since when a customer's open invoices are to be sent."""
        self._open("backfill", tenant_id, self._name_of(tenant_id))

    @signed_in(operator=True)
    async def open_skip(self, caller: Caller, dispatch_id: str) -> None:
        """Ask why something is not to be sent."""
        what = [f"{row.what} of {row.customer}" for row in self.parked if row.id == dispatch_id]
        self._open("skip", dispatch_id, next(iter(what), ""))

    @signed_in(operator=True)
    async def open_objects(self, caller: Caller, tenant_id: str) -> None:
        """Show what platforms call a customer's things."""
        listed = await caller.client.platforms.objects(tenant=tenant_id, limit=SHOWN).page()
        self.objects = [object_row(item) for item in listed.items]
        self._open("objects", tenant_id, self._name_of(tenant_id))

    @signed_in(operator=True)
    async def close_dialog(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self.dialog = ""

    @signed_in(operator=True)
    async def connect(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Have a platform collect from a customer."""

        async def act() -> str:
            wanted = connect_from(form)
            tenant = await _tenant_named(caller, text_of(form, "customer"))
            await caller.client.platforms.connect(wanted, tenant=tenant.id)
            return f"{wanted.platform.value.capitalize()} collects from {tenant.name}."

        return await self._act(act)

    @signed_in(operator=True)
    async def disconnect(self, caller: Caller, tenant_id: str) -> NextEvents:
        """Have no platform collect from a customer from now on."""

        async def act() -> str:
            await caller.client.platforms.disconnect(tenant=tenant_id)
            return f"No platform collects from {self._name_of(tenant_id)} any more."

        return await self._act(act)

    @signed_in(operator=True)
    async def backfill(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Queue a customer's open invoices that its platform does not have."""

        async def act() -> str:
            since = backfill_from(form).since
            queued = await caller.client.platforms.backfill(since, tenant=self._subject)
            return f"{count(queued.queued)} are on their way."

        return await self._act(act)

    @signed_in(operator=True)
    async def compare(self, caller: Caller, tenant_id: str) -> NextEvents:
        """Have both sides of a customer compared now."""

        async def act() -> str:
            await caller.client.platforms.compare(tenant=tenant_id)
            return f"{self._name_of(tenant_id)} is being compared: what differs is listed below."

        return await self._act(act)

    @signed_in(operator=True)
    async def replay(self, caller: Caller, dispatch_id: str) -> NextEvents:
        """Have a parked dispatch sent again."""

        async def act() -> str:
            await caller.client.platforms.replay(dispatch_id)
            # At once: until the page is loaded anew, it would offer to leave out what is on its way
            self.parked = [row for row in self.parked if row.id != dispatch_id]
            return "It is sent again."

        return await self._act(act)

    @signed_in(operator=True)
    async def skip(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Leave a parked dispatch out, and let what waits for it go on."""

        async def act() -> str:
            reason = skip_from(form).reason
            await caller.client.platforms.skip(self._subject, reason)
            return "It is left out."

        return await self._act(act)

    async def _act(self, act: Callable[[], Awaitable[str]]) -> NextEvents:
        """Do something; load the page anew, or say in the dialog why it was not done."""
        try:
            done = await act()
        except (FormProblems, ClientError) as problem:
            problems = problems_by_field(problem, by_field)
            if not self.dialog:
                super()._fail(" ".join(problems.values()))
                return None
            self.problems = {**_NO_PROBLEMS, **problems}
            return None
        self.dialog, self.done = "", done
        return Platforms.watch

    def _open(self, dialog: str, subject: str, about: str) -> None:
        self.dialog, self._subject, self.about = dialog, subject, about
        self.problems, self.done = _NO_PROBLEMS, ""

    def _name_of(self, tenant_id: str) -> str:
        names = (row.customer for row in self.connections if row.tenant_id == tenant_id)
        return next(names, tenant_id)

    async def _read(self, caller: Caller, fresh_seconds: float) -> None:
        async def ask() -> Standing:
            return await standing_of(caller.client)

        standing = await shared(
            caller, "platforms", ask, fresh_seconds=fresh_seconds, of_usage=False
        )
        names, now = standing.names, datetime.now(UTC)
        async with self:
            self.platforms = [platform_row(status) for status in standing.statuses]
            self.usable = [
                Choice(status.platform, status.platform.capitalize())
                for status in standing.statuses
                if status.configured
            ]
            self.preset = self.usable[0].id if self.usable else ""
            self.connections = [connection_row(each, names, now) for each in standing.connections]
            self.streams = [stream_row(cursor, names, now) for cursor in standing.streams]
            self.parked = [parked_row(dispatch, names, now) for dispatch in standing.parked]
            self.differences = [drift_row(difference, names, now) for difference in standing.drift]
            self._ready()


async def _tenant_named(caller: Caller, named: str) -> Tenant:
    """The customer of an id, a slug or a name; raises ``FormProblems`` unless there is one."""
    if not named:
        raise FormProblems({"customer": "Name the customer."})
    matching = (await caller.client.tenants.list(search=named[:200], limit=20).page()).items
    exact = [each for each in matching if named in (each.id, each.slug, each.name)]
    if len(exact or matching) != 1:
        several = "Several customers are named like that: give the id or slug."
        raise FormProblems({"customer": several if matching else "There is no such customer."})
    return (exact or matching)[0]
