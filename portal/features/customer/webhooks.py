"""The customer's own webhooks: how each endpoint fares, and what did not arrive at one."""

from __future__ import annotations

from dataclasses import dataclass

from backend_client.types.webhooks import (
    DisabledBecause,
    TenantWebhook,
    WebhookDelivery,
    WebhookDeliveryState,
)
from portal.features.customer.state import LOADS, CustomerPage
from portal.kit.color import Color
from portal.kit.formatting import date, second
from portal.session.guard import Caller, signed_in

SHOWN = 50
"""How many of the newest deliveries that wait, and that failed."""
_BECAUSE = {
    DisabledBecause.BY_HAND: "Disabled by the customer",
    DisabledBecause.FAILING: "Disabled: every attempt failed for days",
    DisabledBecause.GONE: "Disabled: it answered that it is gone",
}


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint as the list shows it."""

    id: str
    url: str
    description: str
    status: str
    color: Color
    about: str
    waiting: str
    failed: str
    added: str


@dataclass(frozen=True)
class UndeliveredRow:
    """An event that did not arrive at the endpoint, or not yet."""

    id: str
    kind: str
    when: str
    state: str
    color: Color
    attempts: str
    about: str


def endpoint_row(webhook: TenantWebhook, time_zone: str) -> EndpointRow:
    """An endpoint as the list shows it."""
    color: Color = "green"
    status, about = "Active", ""
    if webhook.disabled_because is not None:
        status, color = "Disabled", "gray"
        about = _BECAUSE.get(webhook.disabled_because, "Disabled")
    elif webhook.failing_since is not None:
        status, color = "Failing", "red"
        about = f"Since {second(webhook.failing_since, time_zone)}"
    return EndpointRow(
        id=webhook.id,
        url=webhook.url,
        description=webhook.description,
        status=status,
        color=color,
        about=about,
        waiting=f"{webhook.waiting:,}",
        failed=f"{webhook.failed:,}",
        added=date(webhook.created_at, time_zone),
    )


def undelivered_row(delivery: WebhookDelivery, time_zone: str) -> UndeliveredRow:
    """A delivery that waits or failed, as the log shows it."""
    waits = delivery.state is WebhookDeliveryState.WAITING
    about = delivery.reason or ""
    if delivery.next_attempt_at is not None and delivery.attempts:
        about += f" Next attempt {second(delivery.next_attempt_at, time_zone)}."
    return UndeliveredRow(
        id=delivery.event_id,
        kind=delivery.kind.value,
        when=second(delivery.occurred_at, time_zone),
        state="Waiting" if waits else "Failed",
        color="orange" if waits else "red",
        attempts=f"{delivery.attempts:,}",
        about=about.strip(),
    )


class WebhooksTab(CustomerPage):
    """Endpoints, and of the one that is open what waits and what failed."""

    endpoints: list[EndpointRow] = []
    open_id: str = ""
    open_url: str = ""
    undelivered: list[UndeliveredRow] = []

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the endpoints."""
        tenant = self._wanted
        webhooks = await caller.client.webhooks.of_tenant(tenant).all()
        async with self:
            if self._is_about_another(tenant):
                return
            self.endpoints = [endpoint_row(each, self.customer.time_zone) for each in webhooks]
            self.open_id = self.open_url = ""
            self.undelivered = []
            self._show("webhooks")

    @signed_in(operator=True, background=True)
    async def open(self, caller: Caller, webhook_id: str) -> None:
        """Show what waits at an endpoint, and what failed."""
        tenant = self._wanted
        url = next((row.url for row in self.endpoints if row.id == webhook_id), "")
        if not url:
            return
        deliveries: list[WebhookDelivery] = []
        for state in (WebhookDeliveryState.WAITING, WebhookDeliveryState.FAILED):
            page = await caller.client.webhooks.deliveries(
                webhook_id, tenant=tenant, state=state, limit=SHOWN
            ).page()
            deliveries += page.items
        async with self:
            if self._is_about_another(tenant):
                return
            self.open_id, self.open_url = webhook_id, url
            self.undelivered = [
                undelivered_row(each, self.customer.time_zone) for each in deliveries
            ]


LOADS["webhooks"] = WebhooksTab.load
