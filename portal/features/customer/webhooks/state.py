"""The customer's own webhooks: how each endpoint fares, and what did not arrive at one."""

from __future__ import annotations

from backend_client.types.webhooks import WebhookDelivery, WebhookDeliveryState
from portal.features.customer.state import LOADS, CustomerPage
from portal.session.guard import Caller, signed_in
from portal.shared.webhooks.rows import DeliveryRow, EndpointRow, delivery_row, endpoint_row

SHOWN = 50
"""How many of the newest deliveries that wait, and that failed."""


class WebhooksTab(CustomerPage):
    """Endpoints, and of the one that is open what waits and what failed."""

    endpoints: list[EndpointRow] = []
    open_url: str = ""
    undelivered: list[DeliveryRow] = []

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the endpoints."""
        tenant = self._wanted
        webhooks = await caller.client.webhooks.of_tenant(tenant).all()
        async with self:
            if self._is_about_another(tenant):
                return
            self.endpoints = [endpoint_row(each, self.customer.time_zone) for each in webhooks]
            self.open_url = ""
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
            self.open_url = url
            self.undelivered = [delivery_row(each, self.customer.time_zone) for each in deliveries]


LOADS["webhooks"] = WebhooksTab.load
