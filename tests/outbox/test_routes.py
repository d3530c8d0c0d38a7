"""The operator's view: routes, both clients' methods, the command line and the gauges."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import select, text

from backend.invoices.letters.writing import CustomerLetters
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import audit_entries
from backend_client import AsyncFareboxClient, Conflict, FareboxClient, NotFound
from backend_client.types.accounts import Tenant
from backend_client.types.notifications import (
    ChannelName,
    NotificationKind,
    NotificationState,
)
from tests.metering.test_metrics import gauges
from tests.outbox.conftest import queue, tell_of_top_up
from tests.support.billing import make_tenant
from tests.support.commands import run_farebox

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def applied() -> None:
    """The API's fixture applies a catalog of its own."""


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await make_tenant(database)


@pytest.fixture
def key(operator: dict[str, str]) -> str:
    return operator["authorization"].removeprefix("Bearer ")


async def fail(database: Database, subject: str) -> None:
    """As if a worker had given up on the webhook."""
    async with database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO notification_deliveries (tenant_id, notification_id, channel, state,"
                " attempts, next_attempt_at, give_up_at, reason)"
                " SELECT tenant_id, id, 'webhook', 'failed', 16, now(), now(), 'gone'"
                " FROM notifications WHERE subject = :subject"
            ),
            {"subject": subject},
        )


async def test_the_clients_list_show_and_send_again(
    database: Database, tenant: Tenant, url: str, key: str
) -> None:
    for number in range(55):
        await tell_of_top_up(database, tenant.id, f"top_{number}")
    await queue(database, [], datetime.now(UTC))
    await fail(database, "top_7")
    other = await make_tenant(database)
    await tell_of_top_up(database, other.id, "top_of_other")

    def by_plain_calls() -> list[str]:
        with FareboxClient(url, key) as client:
            [failed] = client.notifications.list(
                tenant=tenant.slug,
                kind=[NotificationKind.WALLET_TOP_UP_REQUESTED],
                state=NotificationState.FAILED,
            )
            assert client.notifications.get(failed.id) == failed
            assert failed.deliveries[0].reason == "gone"
            again = client.notifications.resend(failed.id)
            assert (again.state, again.deliveries[0].attempts) == (NotificationState.WAITING, 0)
            return [notification.id for notification in client.notifications.list()]

    ids = await asyncio.to_thread(by_plain_calls)
    assert len(set(ids)) == 56
    assert ids == sorted(ids, reverse=True)
    async with AsyncFareboxClient(url, key) as client:
        assert [notification.id async for notification in client.notifications.list()] == ids
        [of_other] = [
            notification async for notification in client.notifications.list(tenant=other.id)
        ]
        assert (await client.notifications.get(of_other.id)).event.tenant_id == other.id
        again = await client.notifications.resend(of_other.id, channel=ChannelName.EMAIL)
        assert [each.channel for each in again.deliveries] == ["email"]
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE notification_deliveries SET state = 'delivered', delivered_at = now()")
            )
        with pytest.raises(Conflict, match="name a channel"):
            await client.notifications.resend(of_other.id)
        for ask in (client.notifications.get("ntf_none"), client.notifications.resend("ntf_none")):
            with pytest.raises(NotFound):
                await ask
        with pytest.raises(NotFound):
            await client.notifications.list(tenant="nobody").page()
    async with database.begin() as connection:
        entries = await connection.scalars(
            select(audit_entries.c.detail).where(audit_entries.c.action == "notification.resend")
        )
        assert list(entries) == [{}, {"channel": "email"}]


async def test_a_removed_tenants_can_be_sent_again_too(
    database: Database, tenant: Tenant, url: str, key: str
) -> None:
    await tell_of_top_up(database, "ten_gone", "top_1")
    async with AsyncFareboxClient(url, key) as client:
        [notification] = [notification async for notification in client.notifications.list()]
        assert (
            await client.notifications.resend(notification.id)
        ).state is NotificationState.WAITING


async def test_wrong_questions_name_the_field(url: str, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        for wrong, field in (("kind=x", "kind.0"), ("state=x", "state"), ("cursor=%3F", "cursor")):
            answer = await http.get(f"/v1/notifications?{wrong}")
            assert answer.status_code == 422
            assert [error["field"] for error in answer.json()["errors"]] == [field]
        answer = await http.post("/v1/notifications/ntf_1/resend", json={"channel": "pigeon"})
        assert [error["field"] for error in answer.json()["errors"]] == ["channel"]


async def test_what_waits_and_what_failed_is_on_the_gauges(
    database: Database, tenant: Tenant, api: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    names = [
        f'farebox_notifications_failed{{channel="{channel}"}}' for channel in ("email", "webhook")
    ]
    names += [
        f'farebox_notifications_waiting{{channel="{channel}"}}'
        for channel in ("email", "webhook", "unrouted")
    ]
    before = await gauges(api, operator)
    assert [before[name] for name in names] == [0] * 5
    for subject in ("top_1", "top_2"):
        await tell_of_top_up(database, tenant.id, subject)
    await queue(database, [], datetime.now(UTC))
    await fail(database, "top_1")
    await tell_of_top_up(database, tenant.id, "top_3")
    after = await gauges(api, operator)
    assert [after[name] for name in names] == [0, 1, 0, 0, 1]


async def farebox(url: str, settings: Settings, *arguments: str) -> tuple[int, str, str]:
    """Run ``farebox notifications``; return its status and what it wrote."""
    assert settings.database_url is not None
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "FAREBOX_HOME": str(settings.home),
        "FAREBOX_API_PORT": url.rpartition(":")[2],
    }
    done = await asyncio.to_thread(
        run_farebox, "notifications", *arguments, environment=environment
    )
    return done.returncode, done.stdout, done.stderr


async def test_on_the_command_line(
    database: Database, tenant: Tenant, url: str, api_settings: Settings
) -> None:
    for subject in ("top_1", "top_2", "top_3"):
        await tell_of_top_up(database, tenant.id, subject)
    await queue(database, [], datetime.now(UTC))
    for subject in ("top_1", "top_2"):
        await fail(database, subject)
    code, out, _ = await farebox(url, api_settings, "list", "--state", "failed", "--limit", "1")
    assert code == 0
    heads, row = out.splitlines()
    assert heads.split()[:2] == ["ID", "AT"]
    newest = row.split()[0]
    assert "wallet.top_up_requested" in row
    assert "webhook: failed" in row
    code, out, _ = await farebox(url, api_settings, "show", newest)
    assert json.loads(out)["event"]["data"]["top_up_id"] == "top_2"
    assert await farebox(url, api_settings, "resend", newest) == (0, "1 queued.\n", "")
    assert await farebox(url, api_settings, "resend", "--failed") == (0, "1 queued.\n", "")
    code, out, _ = await farebox(url, api_settings, "list", "--state", "failed")
    assert out == "There are no such notifications.\n"
    for wrong, message in (
        (["resend", newest, "--failed"], "Name notifications, or say --failed."),
        (["resend", "--failed", "--channel", "email"], "leave out --channel"),
        (["show", "ntf_none"], "There is no such notification."),
    ):
        code, _, err = await farebox(url, api_settings, *wrong)
        assert code == 1
        assert message in err


async def test_a_test_event_is_on_record_once_and_is_no_letter(
    database: Database, tenant: Tenant, url: str, key: str, api: httpx.AsyncClient
) -> None:
    async with AsyncFareboxClient(url, key) as client:
        sent = await client.notifications.test(tenant=tenant.slug)
        assert sent.event.type is NotificationKind.NOTIFICATION_TEST
        assert (sent.event.tenant_id, sent.state) == (tenant.id, NotificationState.WAITING)
        with pytest.raises(NotFound):
            await client.notifications.test(tenant="none")
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "try"}
    answers = [
        await api.post("/v1/notifications/test", headers=headers, json={"tenant": tenant.slug})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"] != sent.id
    nobodys = await api.post("/v1/notifications/test", headers=headers, json={})
    assert nobodys.status_code == 422
    async with database.begin() as connection:
        actions = (await connection.execute(select(audit_entries.c.action))).scalars().all()
    assert actions.count("notification.test") == 2
    assert not CustomerLetters(database, Settings()).wants(sent.event)
