"""A tenant's endpoints: registered, listed, changed, removed; with new secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.kit.outgoing import outgoing_url
from backend.kit.pages import Cursor, page_of
from backend.kit.sealing import Sealer
from backend.storage.tables import tenants
from backend.storage.tables import webhook_endpoints as endpoints
from backend.storage.tables import webhook_secrets as secrets
from backend.webhooks.disabling import disable_endpoint
from backend.webhooks.errors import TooManyWebhooks, WebhookAlreadyCreated, WebhookNotFound
from backend.webhooks.queries import counts_of
from backend.webhooks.secrets import end_earlier_secrets, give_secret, retire_secret
from backend_client.types.common import Page
from backend_client.types.webhooks import (
    DisabledBecause,
    TenantWebhook,
    Webhook,
    WebhookChange,
    WebhookCreate,
    WebhookCreated,
)

MOST: Final = 20
"""How many endpoints a tenant can have."""

_PREVIOUS_UNTIL = (
    select(func.max(secrets.c.works_until))
    .where(
        secrets.c.tenant_id == endpoints.c.tenant_id,
        secrets.c.endpoint_id == endpoints.c.id,
        secrets.c.works_until > func.now(),
    )
    .scalar_subquery()
    .label("previous_until")
)


async def create_webhook(
    connection: AsyncConnection,
    sealer: Sealer,
    networks: Sequence[str],
    caller: Principal,
    wanted: WebhookCreate,
    *,
    idempotency_key: str | None = None,
) -> WebhookCreated:
    """Register an endpoint; its secret is in the answer and in no other.

    Raises ``InvalidInput`` for an address that nothing is sent to, ``Conflict`` if the tenant has
    too many, there is no key to seal secrets by, or an earlier request of this ``idempotency_key``
    has made one.
    """
    _check_url(wanted.url, networks)
    webhook_id = new_id("whk")
    if idempotency_key is not None:
        request = f"webhook {wanted.model_dump_json()}"
        created = await claim_key(
            connection, caller.tenant_id, idempotency_key, request, webhook_id
        )
        if created is not None:
            raise WebhookAlreadyCreated(
                f"Webhook {created} was made by an earlier request with this Idempotency-Key. Its "
                "secret was shown then; rotate it if it was lost."
            )
    # One at a time counts them
    await connection.execute(
        select(tenants.c.id).where(tenants.c.id == caller.tenant_id).with_for_update(key_share=True)
    )
    query = select(func.count()).where(endpoints.c.tenant_id == caller.tenant_id)
    if (await connection.scalar(query) or 0) >= MOST:
        raise TooManyWebhooks(f"There are {MOST} webhooks, which is all that you can have.")
    await connection.execute(
        insert(endpoints).values(
            tenant_id=caller.tenant_id,
            id=webhook_id,
            url=wanted.url,
            description=wanted.description.strip(),
            kinds=None if wanted.events is None else [kind.value for kind in wanted.events],
            created_by=caller.id,
        )
    )
    secret = await give_secret(connection, sealer, caller.tenant_id, webhook_id)
    await record(connection, caller, "webhook.create", webhook_id, detail={"url": wanted.url})
    webhook = await find_webhook(connection, caller.tenant_id, webhook_id)
    return WebhookCreated.model_validate({**webhook.model_dump(), "secret": secret})


async def list_webhooks(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[Webhook]:
    """Return a page of a tenant's endpoints, oldest first."""
    query = select(endpoints, _PREVIOUS_UNTIL).where(endpoints.c.tenant_id == tenant_id)
    if cursor is not None:
        query = query.where(endpoints.c.id > Cursor.read(cursor))
    rows = await connection.execute(query.order_by(endpoints.c.id).limit(limit + 1))
    items = [_webhook(row) for row in rows.mappings()]
    return page_of(items, limit, lambda webhook: webhook.id)


async def list_tenant_webhooks(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[TenantWebhook]:
    """Return a page of a tenant's endpoints with what waits and what failed, oldest first."""
    page = await list_webhooks(connection, tenant_id, cursor=cursor, limit=limit)
    counts = await counts_of(connection, tenant_id, [webhook.id for webhook in page.items])
    items = [
        TenantWebhook.model_validate({**webhook.model_dump(), **counts[webhook.id]})
        for webhook in page.items
    ]
    return Page(items=items, next_cursor=page.next_cursor)


async def find_webhook(connection: AsyncConnection, tenant_id: str, webhook_id: str) -> Webhook:
    """Return one of a tenant's endpoints; raise ``NotFound``."""
    query = select(endpoints, _PREVIOUS_UNTIL).where(
        endpoints.c.tenant_id == tenant_id, endpoints.c.id == webhook_id
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise WebhookNotFound()
    return _webhook(row)


async def change_webhook(
    connection: AsyncConnection,
    networks: Sequence[str],
    caller: Principal,
    webhook_id: str,
    change: WebhookChange,
) -> Webhook:
    """Change what is given of an endpoint; what failed before is forgotten with a new address.

    Raises ``NotFound``, and ``InvalidInput`` for an address that nothing is sent to.
    """
    before = await _locked(connection, caller.tenant_id, webhook_id)
    values: dict[str, Any] = {}
    if change.url is not None:
        _check_url(change.url, networks)
        values |= {"url": change.url, "failing_since": None, "last_failed_at": None}
    if change.description is not None:
        values["description"] = change.description.strip()
    if "events" in change.model_fields_set:
        kinds = change.events
        values["kinds"] = None if kinds is None else [kind.value for kind in kinds]
    if change.enabled and not before.enabled:
        values |= {"enabled": True, "disabled_at": None, "disabled_because": None}
        values |= {"failing_since": None, "last_failed_at": None}
    if values:
        await connection.execute(
            update(endpoints)
            .where(endpoints.c.tenant_id == caller.tenant_id, endpoints.c.id == webhook_id)
            .values(**values)
        )
    if change.enabled is False and before.enabled:
        await disable_endpoint(
            connection, caller.tenant_id, webhook_id, DisabledBecause.BY_HAND, datetime.now(UTC)
        )
    detail = change.model_dump(mode="json", exclude_unset=True)
    await record(connection, caller, "webhook.change", webhook_id, detail=detail)
    return await find_webhook(connection, caller.tenant_id, webhook_id)


async def delete_webhook(connection: AsyncConnection, caller: Principal, webhook_id: str) -> None:
    """Remove an endpoint with its secrets and its log; raise ``NotFound``."""
    before = await _locked(connection, caller.tenant_id, webhook_id)
    await connection.execute(
        delete(endpoints).where(
            endpoints.c.tenant_id == caller.tenant_id, endpoints.c.id == webhook_id
        )
    )
    await record(connection, caller, "webhook.delete", webhook_id, detail={"url": before.url})


async def rotate_webhook(
    connection: AsyncConnection,
    sealer: Sealer,
    caller: Principal,
    webhook_id: str,
    *,
    grace_seconds: int,
) -> WebhookCreated:
    """Give an endpoint a new secret; events are signed by the old one too for ``grace_seconds``.

    Raises ``NotFound``, and ``Conflict`` if too many old secrets still sign.
    """
    await _locked(connection, caller.tenant_id, webhook_id)
    await retire_secret(connection, caller.tenant_id, webhook_id, grace_seconds)
    secret = await give_secret(connection, sealer, caller.tenant_id, webhook_id)
    detail = {"grace_seconds": grace_seconds}
    await record(connection, caller, "webhook.rotate", webhook_id, detail=detail)
    webhook = await find_webhook(connection, caller.tenant_id, webhook_id)
    return WebhookCreated.model_validate({**webhook.model_dump(), "secret": secret})


async def end_overlap(connection: AsyncConnection, caller: Principal, webhook_id: str) -> None:
    """Have events signed by the present secret alone, from now on; may be repeated."""
    await _locked(connection, caller.tenant_id, webhook_id)
    ended = await end_earlier_secrets(connection, caller.tenant_id, webhook_id)
    if ended:
        await record(connection, caller, "webhook.end_grace", webhook_id, detail={"secrets": ended})


async def _locked(connection: AsyncConnection, tenant_id: str, webhook_id: str) -> Webhook:
    """Find an endpoint, which nobody else changes meanwhile."""
    await connection.execute(
        select(endpoints.c.id)
        .where(endpoints.c.tenant_id == tenant_id, endpoints.c.id == webhook_id)
        .with_for_update()
    )
    return await find_webhook(connection, tenant_id, webhook_id)


def _check_url(url: str, networks: Sequence[str]) -> None:
    try:
        outgoing_url(url, networks)
    except ValueError as error:
        raise InvalidInput.of_field("url", str(error)) from None


def _webhook(row: RowMapping) -> Webhook:
    return Webhook.model_validate({**row, "events": row["kinds"]})
