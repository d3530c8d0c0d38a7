"""A tenant's own webhooks."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, edit, get, path, post, send
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.notifications import NotificationKind
from backend_client.types.webhooks import (
    TenantWebhook,
    Webhook,
    WebhookChange,
    WebhookCreate,
    WebhookCreated,
    WebhookDelivery,
    WebhookDeliveryDetails,
    WebhookDeliveryState,
    WebhookReplay,
    WebhookReplayed,
    WebhookRotate,
)


class AsyncWebhooksResource(AsyncResource):
    """Endpoints that events are sent to. A secret is in the answer that creates or rotates it."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPager[Webhook]:
        """List the endpoints, oldest first."""
        params = query(limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("webhooks"), Page[Webhook], params))

    def of_tenant(
        self, tenant: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[TenantWebhook]:
        """List a tenant's endpoints with how many events wait and failed; for the operator."""
        at = path("webhooks", tenant=tenant)
        params = query(limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(at, Page[TenantWebhook], params))

    async def get(self, webhook_id: str) -> Webhook:
        """Get an endpoint."""
        return await self._sender.send(get(path("webhooks", webhook_id), Webhook))

    async def create(self, webhook: WebhookCreate) -> WebhookCreated:
        """Register an endpoint."""
        # Not repeated: the secret is in the first answer alone, and a second could not show it.
        call = send("POST", path("webhooks"), webhook, WebhookCreated, repeatable=False)
        return await self._sender.send(call)

    async def update(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change what is given of an endpoint: address, description, events, whether enabled."""
        return await self._sender.send(edit(path("webhooks", webhook_id), change, Webhook))

    async def delete(self, webhook_id: str) -> None:
        """Remove an endpoint with its secrets and its log."""
        await self._sender.send(delete(path("webhooks", webhook_id), repeatable=True))

    async def rotate(self, webhook_id: str, rotation: WebhookRotate) -> WebhookCreated:
        """Give an endpoint a new secret; the old one signs too through the grace period."""
        at = path("webhooks", webhook_id, "rotate")
        call = send("POST", at, rotation, WebhookCreated, repeatable=False)
        return await self._sender.send(call)

    async def end_grace(self, webhook_id: str) -> None:
        """Have events signed by the present secret alone."""
        at = path("webhooks", webhook_id, "previous")
        await self._sender.send(delete(at, repeatable=True))

    async def test(self, webhook_id: str) -> WebhookDeliveryDetails:
        """Send a test event to an endpoint."""
        at = path("webhooks", webhook_id, "test")
        return await self._sender.send(post(at, WebhookDeliveryDetails, repeatable=False))

    async def replay(self, webhook_id: str, replay: WebhookReplay) -> WebhookReplayed:
        """Send again what happened since a time and was not delivered, or all of it."""
        at = path("webhooks", webhook_id, "replay")
        call = send("POST", at, replay, WebhookReplayed, repeatable=False)
        return await self._sender.send(call)

    def deliveries(
        self,
        webhook_id: str,
        *,
        tenant: str | None = None,
        kind: NotificationKind | None = None,
        state: WebhookDeliveryState | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[WebhookDelivery]:
        """List what an endpoint was or is to be sent, the newest event first.

        ``tenant`` is another's id or slug; for the operator.
        """
        at = path("webhooks", webhook_id, "deliveries", tenant=tenant)
        params = query(kind=kind, state=state, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(at, Page[WebhookDelivery], params))

    async def delivery(self, webhook_id: str, event_id: str) -> WebhookDeliveryDetails:
        """Get a delivery: the event as it is sent, and each attempt with its answer."""
        at = path("webhooks", webhook_id, "deliveries", event_id)
        return await self._sender.send(get(at, WebhookDeliveryDetails))

    async def resend(self, webhook_id: str, event_id: str) -> WebhookDeliveryDetails:
        """Send an event to an endpoint again, under the same id."""
        at = path("webhooks", webhook_id, "deliveries", event_id, "resend")
        # A second time might send a second time.
        return await self._sender.send(post(at, WebhookDeliveryDetails, repeatable=False))
