"""A tenant's webhooks by the API and its client: who may, what is refused, what is shown once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import webhook_deliveries
from backend.webhooks.endpoints import MOST
from backend_client import AsyncFareboxClient, Conflict, Forbidden, InvalidInput, NotFound
from backend_client.types.accounts import ApiKeyCreate, ApiKeyRotate, Role
from backend_client.types.notifications import NotificationKind
from backend_client.types.webhooks import (
    DisabledBecause,
    WebhookChange,
    WebhookCreate,
    WebhookDeliveryState,
    WebhookReplay,
    WebhookRotate,
)
from tests.metering.test_metrics import gauges
from tests.outbox.servers import Receiver
from tests.support.tenants import people_of
from tests.webhooks.conftest import HERE, deliver

pytestmark = pytest.mark.engine


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(update={"webhook_networks": HERE})


@pytest.fixture
async def clients(app: FastAPI, database: Database) -> AsyncIterator[dict[str, AsyncFareboxClient]]:
    """A client for each role, and one of another tenant's owner."""
    people = {role.value: role for role in Role if role is not Role.OPERATOR}
    tokens = await people_of(database, people, {"stranger": Role.OWNER})
    opened = {
        name: AsyncFareboxClient("http://api", token, transport=httpx.ASGITransport(app))
        for name, token in tokens.items()
    }
    yield opened
    for client in opened.values():
        await client.close()


async def test_a_key_that_is_made_and_rotated_is_told_to_the_endpoint(
    clients: dict[str, AsyncFareboxClient], database: Database, receiver: Receiver
) -> None:
    client = clients["developer"]
    created = await client.webhooks.create(
        WebhookCreate(url=receiver.url, description="Ours", events=[NotificationKind.KEY_CREATED])
    )
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", created.secret)
    for shown in (
        await client.webhooks.get(created.id),
        await client.webhooks.update(created.id, WebhookChange(events=None)),
    ):
        assert created.secret[6:] not in shown.model_dump_json()
    [listed] = await client.webhooks.list().all()
    assert (listed.events, listed.enabled, listed.description) == (None, True, "Ours")

    [application] = await client.applications.list().all()
    key = await client.keys.create(ApiKeyCreate(name="New", application_id=application.id))
    await client.keys.rotate(key.id, ApiKeyRotate())
    await client.keys.revoke(key.id)
    await client.keys.revoke(key.id)
    await deliver(database, lambda: datetime.now(UTC))
    page = await client.webhooks.deliveries(created.id).all()
    assert [item.kind.value for item in page] == ["key.revoked", "key.rotated", "key.created"]
    assert {item.state.value for item in page} == {"delivered"}
    sent = await client.webhooks.delivery(created.id, page[-1].event_id)
    assert sent.event.data.key_id == key.id
    assert key.secret not in sent.model_dump_json()
    assert [(each.number, each.status) for each in sent.attempt_log] == [(1, 204)]
    only = await client.webhooks.deliveries(created.id, kind=NotificationKind.KEY_ROTATED).all()
    assert len(only) == 1

    tested = await client.webhooks.test(created.id)
    assert (tested.kind, tested.state) == (NotificationKind.NOTIFICATION_TEST, "waiting")
    again = await client.webhooks.resend(created.id, page[-1].event_id)
    assert again.state == "waiting"
    everything = WebhookReplay(since=page[-1].occurred_at, delivered_too=True)
    replayed = await client.webhooks.replay(created.id, everything)
    assert replayed.queued == 2  # the third waits already
    rotated = await client.webhooks.rotate(created.id, WebhookRotate(grace_seconds=60))
    assert rotated.secret != created.secret
    assert rotated.previous_until is not None
    await client.webhooks.end_grace(created.id)
    assert (await client.webhooks.get(created.id)).previous_until is None
    disabled = await client.webhooks.update(created.id, WebhookChange(enabled=False))
    assert disabled.disabled_because is DisabledBecause.BY_HAND
    with pytest.raises(Conflict):
        await client.webhooks.test(created.id)
    await client.webhooks.delete(created.id)
    with pytest.raises(NotFound):
        await client.webhooks.get(created.id)


async def test_who_may_and_who_may_not(clients: dict[str, AsyncFareboxClient]) -> None:
    wanted = WebhookCreate(url="https://hooks.example.com/farebox")
    hook = await clients["owner"].webhooks.create(wanted)
    for name in ("admin", "developer"):
        await clients[name].webhooks.delete((await clients[name].webhooks.create(wanted)).id)
    assert await clients["billing"].webhooks.list().all() != []
    for name in ("billing", "viewer"):
        with pytest.raises(Forbidden):
            await clients[name].webhooks.create(wanted)
        with pytest.raises(Forbidden):
            await clients[name].webhooks.rotate(hook.id, WebhookRotate())
    with pytest.raises(Forbidden):
        await clients["viewer"].webhooks.list().all()
    with pytest.raises(NotFound):
        await clients["stranger"].webhooks.get(hook.id)
    assert await clients["stranger"].webhooks.list().all() == []


async def test_the_operator_sees_what_waits_and_what_failed(
    app: FastAPI,
    api: httpx.AsyncClient,
    operator: dict[str, str],
    clients: dict[str, AsyncFareboxClient],
    database: Database,
    receiver: Receiver,
) -> None:
    names = [f"farebox_webhook_deliveries_{name}" for name in ("waiting", "failed", "lag_seconds")]
    before = await gauges(api, operator)
    assert [before[name] for name in names] == [0, 0, 0]
    owner = clients["owner"]
    hook = await owner.webhooks.create(WebhookCreate(url=receiver.url))
    quiet = await owner.webhooks.create(WebhookCreate(url=receiver.url + "other"))
    lost, late, arrived = [await owner.webhooks.test(hook.id) for _ in range(3)]
    async with database.begin() as connection:
        for event, values in (
            (lost, {"state": "failed", "reason": "HTTP 500", "attempts": 9}),
            (late, {"next_attempt_at": datetime.now(UTC) - timedelta(hours=1)}),
            (arrived, {"state": "delivered", "delivered_at": datetime.now(UTC)}),
        ):
            of_event = webhook_deliveries.c.notification_id == event.event_id
            await connection.execute(update(webhook_deliveries).where(of_event).values(**values))
    after = await gauges(api, operator)
    assert [after[name] for name in names[:2]] == [1, 1]
    assert after[names[2]] >= 3600

    tenant = (await owner.me.get()).tenant
    secret = operator["authorization"].removeprefix("Bearer ")
    transport = httpx.ASGITransport(app)
    async with AsyncFareboxClient("http://api", secret, transport=transport) as seller:
        listed = await seller.webhooks.of_tenant(tenant.slug).all()
        assert [(each.id, each.waiting, each.failed) for each in listed] == [
            (hook.id, 1, 1),
            (quiet.id, 0, 0),
        ]
        failed = WebhookDeliveryState.FAILED
        log = seller.webhooks.deliveries(hook.id, tenant=tenant.id, state=failed)
        [delivery] = await log.all()
        assert (delivery.event_id, delivery.reason) == (lost.event_id, "HTTP 500")
        others = (await clients["stranger"].me.get()).tenant.id
        assert await seller.webhooks.of_tenant(others).all() == []
        with pytest.raises(NotFound):
            await seller.webhooks.deliveries(hook.id, tenant=others).all()
    with pytest.raises(Forbidden):
        await owner.webhooks.of_tenant(tenant.id).all()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://hooks.example.com:0"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://ann:word@hooks.example.com/"}, "url"),
        ({"url": "https://hooks.example.com/", "events": ["notification.test"]}, "events"),
        ({"url": "https://hooks.example.com/", "events": ["invitation.created"]}, "events"),
        ({"url": "https://hooks.example.com/", "events": []}, "events"),
        ({"url": "https://hooks.example.com/", "secret": "mine"}, "secret"),
    ],
)
async def test_what_can_not_be_registered_is_refused_with_its_field(
    api: httpx.AsyncClient,
    clients: dict[str, AsyncFareboxClient],
    database: Database,
    body: dict[str, object],
    field: str,
) -> None:
    bearer = clients["owner"]._sender.http.headers["authorization"]
    answer = await api.post("/v1/webhooks", headers={"authorization": bearer}, json=body)
    assert answer.status_code == 422, answer.text
    assert [error["field"].partition(".")[0] for error in answer.json()["errors"]] == [field]


async def test_a_repeated_request_makes_no_second_one_and_there_are_only_so_many(
    api: httpx.AsyncClient, clients: dict[str, AsyncFareboxClient]
) -> None:
    owner = clients["owner"]
    headers = {"authorization": owner._sender.http.headers["authorization"]}
    once = headers | {"idempotency-key": "once"}
    body = {"url": "https://hooks.example.com/farebox"}
    assert (await api.post("/v1/webhooks", headers=once, json=body)).status_code == 201
    repeated = await api.post("/v1/webhooks", headers=once, json=body)
    assert (repeated.status_code, repeated.json()["code"]) == (409, "webhook_already_created")
    for _ in range(MOST - 1):
        await owner.webhooks.create(WebhookCreate.model_validate(body))
    over = await api.post("/v1/webhooks", headers=headers, json=body)
    assert (over.status_code, over.json()["code"]) == (409, "too_many_webhooks")
    with pytest.raises(InvalidInput):
        await owner.webhooks.update(
            repeated.json()["detail"].split()[1], WebhookChange(url="https://127.0.0.2#x")
        )
