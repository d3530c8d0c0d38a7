"""Requests about notifications, all of them the operator's."""

from __future__ import annotations

from collections.abc import Sequence

from backend_client.requests.call import Call, Params, get, reader, segment, send
from backend_client.types.common import Page
from backend_client.types.notifications import (
    ChannelName,
    Notification,
    NotificationKind,
    NotificationResend,
    NotificationState,
)


def notifications(
    tenant: str | None, kinds: Sequence[NotificationKind], state: NotificationState | None
) -> Call[Page[Notification]]:
    params: Params = {}
    if tenant is not None:
        params["tenant"] = tenant
    if kinds:
        params["kind"] = [kind.value for kind in kinds]
    if state is not None:
        params["state"] = state.value
    return Call("GET", "/v1/notifications", reader(Page[Notification]), params)


def notification(notification_id: str) -> Call[Notification]:
    return get(f"/v1/notifications/{segment(notification_id)}", Notification)


def resend_notification(notification_id: str, channel: ChannelName | None) -> Call[Notification]:
    path = f"/v1/notifications/{segment(notification_id)}/resend"
    # A second time might send a second time.
    return send("POST", path, NotificationResend(channel=channel), Notification, repeatable=False)
