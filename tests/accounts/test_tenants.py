"""Tenants, as the operator makes and removes them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import Table, func, insert, select

from backend.accounts.tenants import UNTIED
from backend.storage.database import Database
from backend.storage.tables import audit_entries, metadata, usage_versions
from tests.accounts.conftest import Headers

pytestmark = pytest.mark.engine


async def test_a_tenant_comes_with_an_application_and_a_plan(
    api: httpx.AsyncClient, owner: Headers
) -> None:
    applications = (await api.get("/v1/applications", headers=owner)).json()["items"]
    assert [application["name"] for application in applications] == ["Default"]
    plan = (await api.get("/v1/subscription", headers=owner)).json()["plan"]["definition"]["id"]
    assert plan == "free"


@pytest.mark.parametrize(
    ("wanted", "status", "field"),
    [
        ({"slug": "one"}, 409, None),
        ({"slug": "Not a slug"}, 422, "slug"),
        ({"slug": "two", "time_zone": "Europe/Atlantis"}, 422, "time_zone"),
        ({"slug": "two", "time_zone": "../etc/passwd"}, 422, "time_zone"),
        ({"slug": "two", "currency": "euro"}, 422, "currency"),
        ({"slug": "two", "name": ""}, 422, "name"),
        ({"slug": "two", "plan": "gold"}, 404, None),
    ],
    ids=str,
)
async def test_what_can_not_be_is_refused_and_nothing_is_left(
    api: httpx.AsyncClient,
    operator: Headers,
    tenant_id: str,
    wanted: dict[str, Any],
    status: int,
    field: str | None,
) -> None:
    answer = await api.post("/v1/tenants", headers=operator, json={"name": "Two"} | wanted)
    assert answer.status_code == status, answer.text
    if field is not None:
        assert answer.json()["errors"][0]["field"] == field
    listed = (await api.get("/v1/tenants", headers=operator)).json()["items"]
    assert [tenant["id"] for tenant in listed] == [tenant_id]


async def test_a_removed_tenant_leaves_no_row_behind_but_what_the_operator_did(
    api: httpx.AsyncClient,
    operator: Headers,
    owner: Headers,
    application: str,
    tenant_id: str,
    database: Database,
) -> None:
    headers = owner | {"idempotency-key": "once"}
    answer = await api.post(
        "/v1/keys", headers=headers, json={"name": "A key", "application_id": application}
    )
    assert answer.status_code == 201
    async with database.begin() as connection:
        await connection.execute(
            insert(usage_versions).values(tenant_id=tenant_id, version=1, last_event_at=func.now())
        )
    before = await _rows_of(database, tenant_id)
    assert {"members", "applications", "api_keys", "audit_entries", "sessions"} <= before
    assert {"idempotency_keys", "usage_versions", "subscriptions"} <= before
    gone = await api.delete(f"/v1/tenants/{tenant_id}", headers=operator)
    assert gone.status_code == 204
    assert await _rows_of(database, tenant_id) == {"audit_entries"}
    async with database.begin() as connection:
        rows = await connection.execute(
            select(audit_entries.c.action, audit_entries.c.actor_kind)
            .where(audit_entries.c.tenant_id == tenant_id)
            .order_by(audit_entries.c.id)
        )
        assert [tuple(row) for row in rows] == [
            ("tenant.create", "operator"),
            ("tenant.delete", "operator"),
        ]
    kept = await api.get(f"/v1/operator-audit?tenant={tenant_id}", headers=operator)
    assert [(entry["action"], entry["actor_kind"]) for entry in kept.json()["items"]] == [
        ("tenant.delete", "operator"),
        ("tenant.create", "operator"),
    ]
    assert (await api.delete(f"/v1/tenants/{tenant_id}", headers=operator)).status_code == 404


@pytest.mark.fast
def test_every_table_of_a_tenants_goes_with_it_but_for_its_invoices_and_audit() -> None:
    def tied(table: Table, seen: frozenset[str] = frozenset()) -> bool:
        return any(
            key.ondelete == "CASCADE"
            and (
                key.referred_table.name == "tenants"
                or key.referred_table in UNTIED
                or (
                    key.referred_table.name not in seen
                    and tied(key.referred_table, seen | {table.name})
                )
            )
            for key in table.foreign_key_constraints
        )

    invoicing = {"invoices", "invoice_lines", "invoice_reminders", "credit_notes", "payments"}
    # What a platform was sent is the other half of the invoices, and is settled with them
    platforms = {
        *("platform_dispatches", "platform_objects", "platform_cursors"),
        *("platform_usage", "platform_drift", "dunning_holds"),
    }
    # By which nobody is reminded of the invoices that stay
    clocks = {"test_clocks"}
    loose = {table.name for table in metadata.tables.values() if "tenant_id" in table.c}
    loose -= {table.name for table in metadata.tables.values() if tied(table)}
    # What the operator did to it stays on record
    untied = {table.name for table in UNTIED}
    assert loose == untied | invoicing | platforms | clocks | {"audit_entries"}


async def _rows_of(database: Database, tenant_id: str) -> set[str]:
    """The tables that keep anything of the tenant."""
    names = set()
    async with database.begin() as connection:
        for name, table in metadata.tables.items():
            column = table.c.get("tenant_id", table.c.id if name == "tenants" else None)
            if column is not None:
                rows = await connection.execute(select(column).where(column == tenant_id).limit(1))
                names |= {name for _ in rows}
    return names


async def test_lists_go_on_where_the_page_before_ended(
    api: httpx.AsyncClient, operator: Headers
) -> None:
    for number in range(5):
        name = f"t{number}"
        answer = await api.post("/v1/tenants", headers=operator, json={"slug": name, "name": name})
        assert answer.status_code == 201
    slugs: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await api.get("/v1/tenants", headers=operator, params={"limit": 2} | cursor)
        page = answer.json()
        assert len(page["items"]) <= 2
        slugs += [tenant["slug"] for tenant in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert slugs == ["t0", "t1", "t2", "t3", "t4"]
    for wrong in (
        {"cursor": "?"},
        {"cursor": "_w"},
        {"cursor": "AAAA"},
        {"limit": 0},
        {"limit": 201},
    ):
        refused = await api.get("/v1/tenants", headers=operator, params=wrong)
        assert refused.status_code == 422, wrong
        assert refused.json()["errors"][0]["field"] == next(iter(wrong))


async def test_a_text_that_can_not_be_stored_is_the_callers_mistake(
    api: httpx.AsyncClient, owner: Headers
) -> None:
    for answer in (
        await api.post("/v1/applications", headers=owner, json={"name": "a\0b"}),
        await api.get("/v1/keys/a%00b", headers=owner),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
