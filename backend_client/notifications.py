"""The clients' methods for notifications, all of them the operator's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from backend_client.requests import notifications as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.types.notifications import (
    ChannelName,
    Notification,
    NotificationKind,
    NotificationState,
)


class NotificationMethods(Sender):
    """Those of the synchronous client."""

    def notifications(
        self,
        *,
        tenant: str | None = None,
        kinds: Sequence[NotificationKind] = (),
        state: NotificationState | None = None,
    ) -> Iterator[Notification]:
        """Go through what was told, newest first; pages are asked for as they are needed."""
        return self._items(requests.notifications(tenant, kinds, state))

    def notification(self, notification_id: str) -> Notification:
        """One notification, and how each channel fared."""
        return self._do(requests.notification(notification_id))

    def resend_notification(
        self, notification_id: str, *, channel: ChannelName | None = None
    ) -> Notification:
        """Send it again: over a channel, or over all that did not deliver it."""
        return self._do(requests.resend_notification(notification_id, channel))


class AsyncNotificationMethods(AsyncSender):
    """Those of the asynchronous client."""

    def notifications(
        self,
        *,
        tenant: str | None = None,
        kinds: Sequence[NotificationKind] = (),
        state: NotificationState | None = None,
    ) -> AsyncIterator[Notification]:
        """Go through what was told, newest first; pages are asked for as they are needed."""
        return self._items(requests.notifications(tenant, kinds, state))

    async def notification(self, notification_id: str) -> Notification:
        """One notification, and how each channel fared."""
        return await self._do(requests.notification(notification_id))

    async def resend_notification(
        self, notification_id: str, *, channel: ChannelName | None = None
    ) -> Notification:
        """Send it again: over a channel, or over all that did not deliver it."""
        return await self._do(requests.resend_notification(notification_id, channel))
