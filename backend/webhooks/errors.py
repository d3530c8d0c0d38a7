"""Why something can't be done with a customer's webhooks."""

from __future__ import annotations

from backend.errors import Conflict, NotFound


class WebhookNotFound(NotFound):
    """The tenant has no such endpoint."""

    code, title = "webhook_not_found", "There is no such webhook"


class WebhookDeliveryNotFound(NotFound):
    """The event was never to go to this endpoint, or was removed since."""

    code, title = "webhook_delivery_not_found", "There is no such delivery"


class WebhookAlreadyCreated(Conflict):
    """The `Idempotency-Key` made an endpoint before; its secret can't be shown again: rotate it."""

    code, title = "webhook_already_created", "This request has made a webhook before"


class TooManyWebhooks(Conflict):
    """A tenant has as many endpoints as it can: remove one."""

    code, title = "too_many_webhooks", "There are too many webhooks"


class TooManyWebhookSecrets(Conflict):
    """Too many old secrets still sign: wait until one ends, or end them all."""

    code, title = "too_many_webhook_secrets", "Too many old secrets of the webhook still sign"


class WebhookIsDisabled(Conflict):
    """A disabled endpoint is sent nothing: enable it first."""

    code, title = "webhook_disabled", "The webhook is disabled"
