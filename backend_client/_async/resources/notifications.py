"""Notifications and their delivery; for the operator."""

from __future__ import annotations

from collections.abc import Sequence

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import create, get, path, send
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.notifications import (
    ChannelName,
    Notification,
    NotificationKind,
    NotificationResend,
    NotificationState,
    NotificationTest,
)


class AsyncNotificationsResource(AsyncResource):
    """What people and systems are notified of; for the operator."""

    def list(
        self,
        *,
        tenant: str | None = None,
        kind: Sequence[NotificationKind] = (),
        state: NotificationState | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[Notification]:
        """List the notifications, newest first."""
        params = query(tenant=tenant, kind=kind, state=state, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("notifications"), Page[Notification], params))

    async def get(self, notification_id: str) -> Notification:
        """Get a notification, and how each channel's delivery went."""
        return await self._sender.send(get(path("notifications", notification_id), Notification))

    async def resend(
        self, notification_id: str, *, channel: ChannelName | None = None
    ) -> Notification:
        """Send a notification again: over a channel, or over all that did not deliver it."""
        # A second time might send a second time.
        at = path("notifications", notification_id, "resend")
        body = NotificationResend(channel=channel)
        return await self._sender.send(send("POST", at, body, Notification, repeatable=False))

    async def test(self, *, tenant: str | None = None) -> Notification:
        """Send a test event, as if of a customer; of the caller's own tenant if none is named."""
        at = path("notifications", "test")
        return await self._sender.send(create(at, NotificationTest(tenant=tenant), Notification))
