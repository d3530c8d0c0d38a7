"""The notifications page: filtered, page by page, with a dialog for one, and a test event."""

from __future__ import annotations

from urllib.parse import urlencode

from backend_client import NotFound
from backend_client.types.notifications import ChannelName, NotificationKind, NotificationState
from portal.features.notifications.rows import (
    ANY,
    DeliveryRow,
    NotificationFilter,
    NotificationRow,
    delivery_rows,
    filter_from,
    notification_row,
    with_event,
)
from portal.kit.vars import computed
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shell.toasts import toast

PAGE = 25


class Notifications(PageState, Session):
    """``opened`` is the notification that the dialog is about; its id is in the address."""

    notifications: list[NotificationRow] = []
    wanted: NotificationFilter = NotificationFilter()
    number: int = 1
    older: bool = False
    opened: NotificationRow = NotificationRow()
    deliveries: list[DeliveryRow] = []
    dialog_problem: str = ""
    _cursors: list[str | None] = [None]

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.opened.id:
            self.dialog_problem = why
        else:
            super()._fail(why)

    @computed
    def query(self) -> str:
        """The filters and what is opened, as the query of an address."""
        opened = {"notification": self.opened.id} if self.opened.id else {}
        return urlencode(self.wanted.query | opened)

    @signed_in(operator=True)
    async def arrive(self, caller: Caller) -> NextEvents:
        """Show what the address asks for."""
        asked = self.router.url.query_parameters
        self.wanted, self.number, self._cursors = filter_from(asked), 1, [None]
        self._close()
        opened = asked.get("notification", "")[:200]
        return [Notifications.load, *([Notifications.open(opened)] if opened else [])]

    @signed_in(operator=True, background=True, supersedes=True)
    async def load(self, caller: Caller) -> None:
        """Load the page of the list."""
        async with self:
            wanted, number, cursors = self.wanted, self.number, list(self._cursors)
        page = await caller.client.notifications.list(
            tenant=wanted.tenant or None,
            kind=[] if wanted.kind == ANY else [NotificationKind(wanted.kind)],
            state=None if wanted.state == ANY else NotificationState(wanted.state),
            limit=PAGE,
            cursor=cursors[number - 1],
        ).page()
        names = await _names(caller, {item.event.tenant_id for item in page.items})
        zone = caller.me.tenant.time_zone
        async with self:
            if (wanted, number) != (self.wanted, self.number):
                return
            self.notifications = [notification_row(item, names, zone) for item in page.items]
            self.older = page.next_cursor is not None
            self._cursors = [*cursors[:number], page.next_cursor]
            self._ready()

    @signed_in(operator=True)
    async def choose(self, caller: Caller, field: str, value: str) -> NextEvents:
        """Show the notifications of one kind, in one state, or of one customer."""
        if field == "tenant":
            value = value.strip()[:200]
        self.wanted = filter_from({**self.wanted.query, field: value})
        self.number, self._cursors = 1, [None]
        return Notifications.load

    @signed_in(operator=True)
    async def show_older(self, caller: Caller) -> NextEvents:
        """Show the next page."""
        if self.older:
            self.number += 1
        return Notifications.load

    @signed_in(operator=True)
    async def show_newer(self, caller: Caller) -> NextEvents:
        """Show the page before."""
        self.number = max(1, self.number - 1)
        return Notifications.load

    @signed_in(operator=True)
    async def open(self, caller: Caller, notification_id: str) -> None:
        """Show a notification with what it says and how its deliveries went."""
        self.dialog_problem = ""
        await self._show(caller, notification_id)

    @signed_in(operator=True)
    async def close(self, caller: Caller) -> None:
        """Close the dialog."""
        self._close()

    @signed_in(operator=True)
    async def resend(self, caller: Caller, channel: str) -> NextEvents:
        """Send the opened notification again: over a channel, or over those that have not."""
        self.dialog_problem = ""
        await caller.client.notifications.resend(
            self.opened.id, channel=ChannelName(channel) if channel else None
        )
        await self._show(caller, self.opened.id)
        return [Notifications.load, toast("It is sent again, under the same id.")]

    @signed_in(operator=True)
    async def test(self, caller: Caller) -> NextEvents:
        """Send a test event, and open it."""
        sent = await caller.client.notifications.test()
        self.wanted, self.number, self._cursors = NotificationFilter(), 1, [None]
        await self._show(caller, sent.id)
        return Notifications.load

    async def _show(self, caller: Caller, notification_id: str) -> None:
        zone = caller.me.tenant.time_zone
        notification = await caller.client.notifications.get(notification_id)
        names = await _names(caller, {notification.event.tenant_id})
        row = notification_row(notification, names, zone)
        self.opened = with_event(row, notification)
        self.deliveries = delivery_rows(notification, zone)

    def _close(self) -> None:
        self.opened, self.deliveries, self.dialog_problem = NotificationRow(), [], ""


async def _names(caller: Caller, tenants: set[str]) -> dict[str, str]:
    """The names of customers by id; one that is deleted is called by its id."""
    names = {}
    for tenant_id in tenants:
        try:
            names[tenant_id] = (await caller.client.tenants.get(tenant_id)).name
        except NotFound:
            continue
    return names
