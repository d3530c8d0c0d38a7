"""Why a notification can't be read or sent again."""

from __future__ import annotations

from backend.errors import Conflict, NotFound


class NotificationNotFound(NotFound):
    """There is no such notification."""

    code, title = "notification_not_found", "There is no such notification"


class NotificationAlreadyDelivered(Conflict):
    """Every channel has delivered the notification: name one to send it over once more."""

    code = "notification_already_delivered"
    title = "This is delivered; name a channel to send it over that once more"


class NotificationOfTestClock(Conflict):
    """What happens on a test clock stays on record and is sent to nobody."""

    code = "notification_of_test_clock"
    title = "Nothing is sent for a tenant on a test clock"
