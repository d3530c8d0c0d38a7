"""Every route that the app has, called with another tenant's credential and this tenant's ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.principal import ROLE_PERMISSIONS, SCOPE_PERMISSIONS
from backend.accounts.sessions.sessions import begin_session
from backend.metering.refusals.refusal import Refusal
from backend.metering.refusals.tally import RefusalTally
from backend.metering.refusals.writing import RefusalWriter
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import gateway_requests, request_bodies
from backend_client.types.accounts import Role, Scope
from tests.api.isolation import NO_ID, OFF_BY_DEFAULT, OPEN, Headers, TenantOfTest, operations
from tests.support.invoices import run_invoices
from tests.support.waiting import until

pytestmark = pytest.mark.engine


async def session_of(connection: AsyncConnection, tenant_id: str, user_id: str) -> Headers:
    new_session = await begin_session(connection, user_id, tenant_id, seconds=600)
    return {"authorization": f"Bearer {new_session.token}"}


async def member(database: Database, tenant_id: str, name: str, role: Role) -> tuple[str, Headers]:
    """A person with a role in a tenant, signed in."""
    async with database.begin() as connection:
        user = await upsert_user(
            connection,
            issuer="test",
            subject=name,
            name=f"{name}-person",
            email=f"{name}@mail.example",
        )
        await add_member(connection, tenant_id, user, role)
        return user, await session_of(connection, tenant_id, user)


async def tenant_with_owner(
    api: httpx.AsyncClient, database: Database, operator: Headers, name: str
) -> TenantOfTest:
    answer = await api.post(
        "/v1/tenants",
        headers=operator,
        json={"slug": f"{name}-slug", "name": f"{name}-name", "plan": "pay-as-you-go"},
    )
    assert answer.status_code == 201, answer.text
    tenant_id = answer.json()["id"]
    user, headers = await member(database, tenant_id, name, Role.OWNER)
    applications = (await api.get("/v1/applications", headers=headers)).json()["items"]
    return TenantOfTest(
        tenant_id,
        headers,
        {"user": user, "application": applications[0]["id"]},
        [f"{name}-slug", f"{name}-name", f"{name}-person", f"{name}@mail.example", tenant_id],
    )


async def keys_of(api: httpx.AsyncClient, tenant: TenantOfTest) -> dict[Scope, Headers]:
    """A key of the tenant's for each scope."""
    keys = {}
    for scope in Scope:
        wanted = {
            "name": scope.value,
            "application_id": tenant.ids["application"],
            "scopes": [scope.value],
        }
        answer = await api.post("/v1/keys", headers=tenant.headers, json=wanted)
        assert answer.status_code == 201, answer.text
        keys[scope] = {"authorization": f"Bearer {answer.json()['secret']}"}
    return keys


@pytest.fixture
async def planted(
    api: httpx.AsyncClient,
    api_settings: Settings,
    database: Database,
    operator: Headers,
    worker: None,
) -> TenantOfTest:
    """Tenant A, with a name of its own on everything it has."""
    tenant = await tenant_with_owner(api, database, operator, "marker-a")
    application = tenant.ids["application"]

    async def plant(path: str, name: str, body: dict[str, object], by: Headers) -> httpx.Response:
        answer = await api.post(path, headers={"idempotency-key": f"once {path}"} | by, json=body)
        assert answer.status_code == 201, answer.text
        tenant.ids[name] = answer.json()["id"]
        tenant.words.append(answer.json()["id"])
        return answer

    await plant("/v1/applications", "second", {"name": "marker-application"}, tenant.headers)
    invited = {"role": "viewer", "note": "marker-note"}
    await plant("/v1/invitations", "invitation_id", invited, tenant.headers)
    wanted = {"name": "marker-key", "application_id": application}
    await plant("/v1/keys", "key", wanted, tenant.headers)
    wanted |= {"name": "marker-ingest", "scopes": ["events:write"]}
    headers = tenant.headers | {"idempotency-key": "another"}
    ingest = (await plant("/v1/keys", "ingest", wanted, headers)).json()["secret"]
    grant = {"name": "marker-grant", "kind": "paid", "amount": "31415.926535"}
    await plant(f"/v1/tenants/{tenant.id}/wallet/grants", "grant", grant, operator)
    await plant("/v1/wallet/top-ups", "top_up_id", {"amount": "27182.818284"}, tenant.headers)

    said = {"title": "marker-title", "content": {"turns": ["marker-said"]}, "shared": True}
    await plant("/v1/conversations", "conversation_id", said, tenant.headers)
    prompt = {"name": "marker-prompt", "content": {"system": "marker-system"}, "shared": True}
    await plant("/v1/prompts", "prompt_id", prompt, tenant.headers)
    endpoint = {"url": "https://marker-hooks.example.com", "description": "marker-endpoint"}
    hook = (await plant("/v1/webhooks", "webhook_id", endpoint, tenant.headers)).json()
    sent = await api.post(f"/v1/webhooks/{hook['id']}/test", headers=tenant.headers)
    assert sent.status_code == 202, sent.text
    tenant.ids["webhook_secret"] = hook["secret"]
    tenant.ids["notification_id"] = sent.json()["event_id"]
    tenant.words += ["marker-hooks", "marker-endpoint", hook["secret"], sent.json()["event_id"]]
    tenant.words += ["marker-title", "marker-said", "marker-prompt", "marker-system"]

    declared = {"tenant": tenant.id}
    put = await api.put("/v1/labels/squad", headers=operator, params=declared)
    assert put.status_code == 200, put.text
    budget = {"amount": "14142.135623", "period": "month"}
    bound = {"label": "squad", "value": "marker-squad", "budget": budget}
    await plant("/v1/label-budgets", "budget_id", bound, tenant.headers)
    tenant.words += ["marker-squad", "14142.135623"]

    tenant.ids |= {"logged_id": "marker-logged", "request_id": "marker-request-id"}
    tenant.ids |= {"event_id": "marker-event-id"}
    tenant.words += ["marker-logged", "marker-request-id", "marker-event-id"]
    tenant.words += ["marker-said-so", "marker-answer"]
    async with database.begin() as connection:
        await log_call(connection, tenant)

    sessions = (await api.get("/v1/sessions", headers=tenant.headers)).json()["items"]
    tenant.ids["session_id"] = sessions[0]["id"]
    tenant.words.append(sessions[0]["id"])

    details = {"name": "marker-legal", "address": ["marker-street"], "tax_id": "marker-tax"}
    put = await api.put("/v1/billing-details", headers=tenant.headers, json=details)
    assert put.status_code == 200, put.text

    bearer = {"authorization": f"Bearer {ingest}"}
    for model, meter in (("marker-model", "marker_meter"), ("sample-small", "input_tokens")):
        event = {
            "specversion": "1.0",
            "id": f"marker-event-{model}",
            "source": "marker-source",
            "type": "ai.usage",
            "data": {
                "application": application,
                "key": tenant.ids["key"],
                "model": model,
                "quantities": {meter: 987654321},
                "labels": {"team": "marker-label"},
            },
        }
        sent = await api.post("/v1/events", headers=bearer, json=event)
        assert sent.json()["accepted"] == 1, sent.text

    async def counted() -> bool:
        usage = (await api.get("/v1/usage", headers=tenant.headers)).text
        return "marker_meter" in usage and "input_tokens" in usage

    await until(counted)
    tally = RefusalTally()
    refusal = Refusal("marker-refused", "time", "marker-reason", "marker-source")
    tally.note(tenant.id, "tenant", tenant.ids["ingest"], refusal, datetime.now(UTC))
    await RefusalWriter(database, tally).write()
    # As if the period had ended: what runs then closes it.
    await run_invoices(database, api_settings, datetime.now(UTC) + timedelta(days=40))
    invoices = (await api.get("/v1/invoices", headers=tenant.headers)).json()["items"]
    tenant.ids |= {"invoice_id": invoices[-1]["id"], "line": "1"}
    tenant.words += [invoices[-1]["id"], "marker-legal", "marker-street", "marker-tax"]
    await divide_over_departments(api, tenant)
    notes = f"/v1/tenants/{tenant.id}/invoices/{invoices[-1]['id']}/credit-notes"
    await plant(notes, "credit_note_id", {"reason": "marker-credit"}, operator)
    items = f"/v1/tenants/{tenant.id}/invoice-items"
    await plant(items, "item_id", {"name": "marker-item", "amount": "3"}, operator)
    paid = {"amount": "1", "method": "cash", "reference": "marker-paid", "excess": "balance"}
    paths = notes.replace("credit-notes", "payments")
    booked = (await api.post(paths, headers=operator, json=paid)).json()["payments"]
    tenant.ids["payment_id"] = booked[-1]["id"]
    tenant.ids |= {"model": "marker-model", "meter": "marker_meter", "source": "marker-source"}
    tenant.ids |= {"sender": "tenant"}
    tenant.ids |= {"id": "marker-event-marker-model", "event": "marker-event-marker-model"}
    tenant.ids |= {"label": "team=marker-label", "group_by_label": "team"}
    tenant.words += [
        *("marker-note", "marker-application", "marker-key", "marker-ingest", "marker-grant"),
        *("31415.926535", "27182.818284", "987654321"),
        *(
            "marker-refused",
            "marker-reason",
            "marker-event",
            "marker-source",
            "marker-model",
            "marker_meter",
            "marker-label",
        ),
        *(tenant.ids["user"], application),
    ]
    return tenant


async def log_call(connection: AsyncConnection, tenant: TenantOfTest) -> None:
    """A call with its bodies, as the gateway logs it."""
    began, application = datetime.now(UTC), tenant.ids["application"]
    await connection.execute(
        insert(gateway_requests).values(
            **{"tenant_id": tenant.id, "id": "marker-logged", "time": began},
            **{"outcome": "completed", "status": 200, "protocol": "chat", "streamed": False},
            **{"model": "marker-model", "application_id": application, "upstream": "u"},
            **{"key_id": tenant.ids["key"], "attempts": 1, "duration_ms": 5},
            **{"event_id": "marker-event-id", "request_id": "marker-request-id"},
            **{"answer_id": "", "quantities": {}, "labels": {"team": "marker-label"}},
        )
    )
    await connection.execute(
        insert(request_bodies).values(
            **{"tenant_id": tenant.id, "id": "marker-logged", "application_id": application},
            **{"time": began, "expires_at": began + timedelta(days=400)},
            **{"request": "marker-said-so", "answer": "marker-answer"},
            **{"shortened": False, "redacted": True},
        )
    )


async def divide_over_departments(api: httpx.AsyncClient, tenant: TenantOfTest) -> None:
    """Give the tenant a cost center, and close the month that has an invoice."""
    month = (await api.get("/v1/chargeback/months", headers=tenant.headers)).json()[-1]["month"]
    unit = {"code": "marker-unit", "name": "marker-department"}
    shared = [{"split": "even"}]
    policy = {"units": [unit], "shared": shared, "mode": "chargeback"}
    kept = await api.put(
        f"/v1/chargeback/policies/{month}", headers=tenant.headers, json={"policy": policy}
    )
    assert kept.status_code == 200, kept.text
    closed = await api.post(f"/v1/chargeback/months/{month}/close", headers=tenant.headers)
    assert closed.status_code == 200, closed.text
    tenant.ids |= {"month": month, "valid_from": month, "unit": "marker-unit"}
    tenant.words += ["marker-unit", "marker-department"]


async def test_no_route_tells_or_takes_anything_of_another_tenant(
    engineless: FastAPI,
    api: httpx.AsyncClient,
    database: Database,
    operator: Headers,
    planted: TenantOfTest,
) -> None:
    other = await tenant_with_owner(api, database, operator, "tenant-b")
    keys = {scope.value: headers for scope, headers in (await keys_of(api, other)).items()}
    before = await planted.kept(database)
    assert {"api_keys", "rollups", "events"} <= {name for name, rows in before.items() if rows}

    wrong: list[object] = []
    for operation in operations(engineless):
        request = planted.request(operation)
        async with database.begin() as connection:  # anew: a route may end the session
            owner = await session_of(connection, other.id, other.ids["user"])
        for who, credential in {"an owner": owner, **keys}.items():
            answer = await api.request(**request | {"headers": credential | request["headers"]})
            case = (*operation.name, who, answer.status_code)
            if answer.status_code >= 500:
                wrong.append((*case, answer.text))
            if words := planted.told(answer, request):
                wrong.append((*case, "tells", words))
            if operation.parameters("path") - NO_ID and answer.status_code not in {403, 404}:
                wrong.append((*case, "is not refused"))
            if operation.for_operators and answer.status_code != 403:
                wrong.append((*case, "is the operator's"))
    assert wrong == []
    assert await planted.kept(database) == before


async def test_a_tenant_is_told_its_own(
    engineless: FastAPI, api: httpx.AsyncClient, planted: TenantOfTest
) -> None:
    """The words that the test above looks for do come up where they may."""
    heard: set[str] = set()
    for operation in operations(engineless):
        if operation.method == "get" and operation.name not in OPEN:
            request = planted.request(operation)
            answer = await api.request(**request | {"headers": planted.headers})
            heard |= {word for word in planted.words if word in answer.text}
    # What is to be on the next invoice is the operator's until it is; a secret is said once alone
    unsaid = {planted.ids["item_id"], planted.ids["webhook_secret"]}
    assert set(planted.words) - unsaid <= heard


async def test_each_role_and_scope_opens_what_it_says(
    engineless: FastAPI,
    api: httpx.AsyncClient,
    database: Database,
    operator: Headers,
    planted: TenantOfTest,
) -> None:
    other = await tenant_with_owner(api, database, operator, "tenant-b")
    keys = await keys_of(api, other)
    roles = [role for role in Role if role is not Role.OPERATOR]
    people = {role: (await member(database, other.id, role.value, role))[0] for role in roles}
    wrong: list[object] = []
    for operation in operations(engineless):
        if operation.needs is None:
            continue
        request = planted.request(operation)
        callers = [(SCOPE_PERMISSIONS[scope], headers) for scope, headers in keys.items()]
        async with database.begin() as connection:
            for role, user in people.items():
                headers = await session_of(connection, other.id, user)
                callers.append((ROLE_PERMISSIONS[role], headers))
        for allowed, credential in callers:
            answer = await api.request(**request | {"headers": credential})
            if (answer.status_code != 403) != (operation.needs in allowed):
                wrong.append((*operation.name, sorted(allowed), answer.status_code))
    assert wrong == []


async def test_without_a_credential_nothing_is_answered(
    engineless: FastAPI, api: httpx.AsyncClient, planted: TenantOfTest
) -> None:
    wrong = []
    for operation in operations(engineless):
        if operation.name in OPEN:
            continue
        request = planted.request(operation)
        for said in ("", "Bearer", "Bearer fbs_none", "Bearer fb_live_none", "Basic eDp5"):
            headers = {"authorization": said} if said else {}
            answer = await api.request(**request | {"headers": headers})
            if answer.status_code != 401 or planted.told(answer, request):
                wrong.append((*operation.name, said, answer.status_code, answer.text))
    assert wrong == []


async def test_open_routes_are_few_and_say_the_same_to_everybody(
    engineless: FastAPI, api: httpx.AsyncClient, planted: TenantOfTest
) -> None:
    described = operations(engineless)
    without = {operation.name for operation in described if "security" not in operation.described}
    assert without == OPEN
    for method, path in sorted(OPEN):
        if method == "get":
            answer = await api.get(path)
            assert answer.status_code == (404 if path in OFF_BY_DEFAULT else 200)
            assert planted.told(answer, {}) == []
