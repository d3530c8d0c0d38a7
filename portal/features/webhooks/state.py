"""The webhooks page: endpoints made, changed, rotated, removed; the log of the one that is open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from backend_client import ClientError
from backend_client.types.webhooks import (
    WebhookChange,
    WebhookCreated,
    WebhookDeliveryDetails,
    WebhookDeliveryState,
    WebhookReplay,
)
from portal.features.webhooks.forms import (
    FIELDS,
    by_field,
    change_from_form,
    rotation_from_form,
    webhook_from_form,
)
from portal.features.webhooks.rows import (
    ANY,
    AttemptRow,
    EndpointEdit,
    LogFilter,
    attempt_rows,
    endpoint_edit,
    event_text,
    filter_from,
    replayed,
    since_from,
)
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session import polling
from portal.session.guard import DEVELOPERS, SPENDERS, Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.shown_once import ShownOnce
from portal.session.state import Session
from portal.shared.webhooks.rows import DeliveryRow, EndpointRow, delivery_row, endpoint_row
from portal.shell.toasts import toast

PAGE = 25
_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Webhooks(ShownOnce, PageState, Session):
    """``endpoint`` is whose log is open, ``opened`` the delivery that its dialog is about.

    ``dialog`` is ``create``, ``edit``, ``rotate``, ``replay``, ``delivery`` or empty; ``edited``
    what its form begins with.
    """

    endpoints: list[EndpointRow] = []
    endpoint: str = ""
    wanted: LogFilter = LogFilter()
    deliveries: list[DeliveryRow] = []
    number: int = 1
    older: bool = False
    opened: DeliveryRow = DeliveryRow()
    event: str = ""
    attempts: list[AttemptRow] = []
    dialog: str = ""
    edited: EndpointEdit = EndpointEdit()
    problems: dict[str, str] = _NO_PROBLEMS
    _cursors: list[str | None] = [None]

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.dialog:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @computed
    def query(self) -> str:
        """The open log, its filter and what is looked at, as the query of an address."""
        asked = {"endpoint": self.endpoint} | self.wanted.query if self.endpoint else {}
        if self.opened.id:
            asked["event"] = self.opened.id
        return urlencode(asked)

    @computed
    def endpoint_url(self) -> str:
        """Where the endpoint is whose log is open; empty if there is none such."""
        return next((row.url for row in self.endpoints if row.id == self.endpoint), "")

    @signed_in(roles=SPENDERS)
    async def arrive(self, caller: Caller) -> NextEvents:
        """Show what the address asks for, without the dialog that was open before."""
        asked = self.router.url.query_parameters
        self.endpoint = asked.get("endpoint", "").strip()[:200]
        self.wanted = filter_from(asked)
        self.number, self._cursors = 1, [None]
        self._close()
        event = asked.get("event", "").strip()[:200]
        return Webhooks.open(event) if self.endpoint and event else None

    @signed_in(roles=SPENDERS, background=True)
    async def load(self, caller: Caller) -> Sequence[Any]:
        """Load the endpoints and what is open, again and again: deliveries go on meanwhile."""

        async def look() -> None:
            await self._look(caller)

        return await self._follow(caller, look, polling.WEBHOOKS)

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def refresh(self, caller: Caller) -> None:
        """Load it all once more: something of it has changed."""
        await self._look(caller)

    async def _look(self, caller: Caller) -> None:
        """Ask for what is shown, and show what differs."""
        async with self:
            place = endpoint, wanted, number = self.endpoint, self.wanted, self.number
            opened, cursors = self.opened.id, list(self._cursors)
        zone, client = caller.me.tenant.time_zone, caller.client
        listed = await client.webhooks.list().all()
        is_there = any(webhook.id == endpoint for webhook in listed)
        deliveries, following, delivery = [], None, None
        if is_there:
            page = await client.webhooks.deliveries(
                endpoint,
                state=None if wanted.state == ANY else WebhookDeliveryState(wanted.state),
                limit=PAGE,
                cursor=cursors[number - 1],
            ).page()
            deliveries = [delivery_row(item, zone) for item in page.items]
            following = page.next_cursor
            if opened:
                delivery = await client.webhooks.delivery(endpoint, opened)
        rows = [endpoint_row(each, zone) for each in listed]
        async with self:
            if place != (self.endpoint, self.wanted, self.number):
                return
            if rows != self.endpoints:  # what has not changed is not sent
                self.endpoints = rows
            if deliveries != self.deliveries:
                self.deliveries = deliveries
            self.older = following is not None
            self._cursors = [*cursors[:number], following]
            if delivery is not None and self.opened.id == opened:
                self._show(caller, delivery)
            self._ready()

    @signed_in(roles=SPENDERS)
    async def show_log(self, caller: Caller, webhook_id: str) -> NextEvents:
        """Open the log of an endpoint, or close it."""
        self.endpoint, self.wanted = webhook_id[:200], LogFilter()
        self.number, self._cursors, self.deliveries = 1, [None], []
        return Webhooks.refresh

    @signed_in(roles=SPENDERS)
    async def choose(self, caller: Caller, state: str) -> NextEvents:
        """Show the deliveries in one state."""
        self.wanted = filter_from({"state": state})
        self.number, self._cursors = 1, [None]
        return Webhooks.refresh

    @signed_in(roles=SPENDERS)
    async def show_older(self, caller: Caller) -> NextEvents:
        """Show the next page of the log."""
        if self.older:
            self.number += 1
        return Webhooks.refresh

    @signed_in(roles=SPENDERS)
    async def show_newer(self, caller: Caller) -> NextEvents:
        """Show the page before."""
        self.number = max(1, self.number - 1)
        return Webhooks.refresh

    @signed_in(roles=SPENDERS)
    async def open(self, caller: Caller, event_id: str) -> None:
        """Show a delivery with what it says and how each attempt went."""
        self._close()
        self._show(caller, await caller.client.webhooks.delivery(self.endpoint, event_id))

    @signed_in(roles=SPENDERS)
    async def close(self, caller: Caller) -> None:
        """Close the dialog; a secret in it is forgotten."""
        self._close()

    @signed_in(roles=DEVELOPERS)
    async def open_form(self, caller: Caller, shown: bool) -> None:
        """Open or close the dialog that adds an endpoint; closing it forgets the secret."""
        self._close()
        if shown:
            self.edited, self.dialog = EndpointEdit(), "create"

    @signed_in(roles=DEVELOPERS)
    async def ask(self, caller: Caller, dialog: str, webhook_id: str) -> None:
        """Open the dialog that changes an endpoint, gives it a new secret, or replays."""
        if dialog not in {"edit", "rotate", "replay"}:
            return
        webhook = await caller.client.webhooks.get(webhook_id)
        self._close()
        self.edited, self.dialog = endpoint_edit(webhook), dialog

    @signed_in(roles=DEVELOPERS)
    async def create(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Add an endpoint and show its secret, this once."""
        try:
            created = await caller.client.webhooks.create(webhook_from_form(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._show_secret(created)
        return Webhooks.refresh

    @signed_in(roles=DEVELOPERS)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Change the endpoint that the dialog is about."""
        try:
            await caller.client.webhooks.update(self.edited.id, change_from_form(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._close()
        return [Webhooks.refresh, toast("Saved the endpoint.")]

    @signed_in(roles=DEVELOPERS)
    async def rotate(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the endpoint that the dialog is about a new secret, and show it this once."""
        rotation = rotation_from_form(form)
        self._show_secret(await caller.client.webhooks.rotate(self.edited.id, rotation))
        return Webhooks.refresh

    @signed_in(roles=DEVELOPERS)
    async def end_overlap(self, caller: Caller, webhook_id: str) -> NextEvents:
        """Have events signed by the present secret alone."""
        await caller.client.webhooks.end_grace(webhook_id)
        return [Webhooks.refresh, toast("The old secret has ended.")]

    @signed_in(roles=DEVELOPERS)
    async def enable(self, caller: Caller, webhook_id: str, enabled: bool) -> NextEvents:
        """Disable an endpoint, or enable it again."""
        await caller.client.webhooks.update(webhook_id, WebhookChange(enabled=enabled))
        return [Webhooks.refresh, toast(f"{'Enabled' if enabled else 'Disabled'} the endpoint.")]

    @signed_in(roles=DEVELOPERS)
    async def remove(self, caller: Caller, webhook_id: str) -> NextEvents:
        """Remove an endpoint with its log."""
        await caller.client.webhooks.delete(webhook_id)
        if self.endpoint == webhook_id:
            self.endpoint, self.deliveries = "", []
        return [Webhooks.refresh, toast("Removed the endpoint.")]

    @signed_in(roles=DEVELOPERS)
    async def test(self, caller: Caller, webhook_id: str) -> NextEvents:
        """Send a test event to an endpoint, and show how it fares in its log."""
        sent = await caller.client.webhooks.test(webhook_id)
        self._close()
        self.endpoint, self.wanted = webhook_id, LogFilter()
        self.number, self._cursors = 1, [None]
        self._show(caller, sent)
        return Webhooks.refresh

    @signed_in(roles=DEVELOPERS)
    async def resend(self, caller: Caller) -> NextEvents:
        """Send the opened event again."""
        sent = await caller.client.webhooks.resend(self.endpoint, self.opened.id)
        self._show(caller, sent)
        return [Webhooks.refresh, toast("It is sent again, under the same id.")]

    @signed_in(roles=DEVELOPERS)
    async def replay(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Send again what was missed in the chosen time, or all of it."""
        since = since_from(str(form.get("hours", "")), datetime.now(UTC))
        asked = WebhookReplay(since=since, delivered_too=bool(form.get("delivered_too")))
        result = await caller.client.webhooks.replay(self.edited.id, asked)
        self.endpoint, self.wanted = self.edited.id, LogFilter()
        self.number, self._cursors = 1, [None]
        self._close()
        return [Webhooks.refresh, toast(replayed(result.queued))]

    def _show(self, caller: Caller, delivery: WebhookDeliveryDetails) -> None:
        zone = caller.me.tenant.time_zone
        row, attempts = delivery_row(delivery, zone), attempt_rows(delivery, zone)
        if (row, attempts) != (self.opened, self.attempts):
            self.opened, self.event, self.attempts = row, event_text(delivery), attempts
        self.dialog = "delivery"

    def _show_secret(self, created: WebhookCreated) -> None:
        self.problems = _NO_PROBLEMS
        self._show_once(created.url, created.secret)

    def _close(self) -> None:
        self.dialog, self.problems, self.edited = "", _NO_PROBLEMS, EndpointEdit()
        self.opened, self.event, self.attempts = DeliveryRow(), "", []
        self._forget_secret()
