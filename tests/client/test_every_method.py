"""Both clients against the API on a real port: every method, and the ways the API refuses."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.catalog.published import load_catalog
from backend.storage.database import Database
from backend_client import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from backend_client.types.accounts import (
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyRotate,
    ApplicationChange,
    ApplicationCreate,
    InvitationAccept,
    InvitationCreate,
    LocalSessionCreate,
    MemberChange,
    OwnTenantChange,
    Role,
    Scope,
    SessionChange,
    SessionCreate,
    TenantCreate,
)
from backend_client.types.audit import AuditEntry
from backend_client.types.events import UsageEvent
from backend_client.types.limits import (
    KeyBudget,
    LabelBudgetChange,
    LabelBudgetCreate,
    ModelLimits,
    RateLimits,
)
from backend_client.types.subscriptions import SubscriptionChange
from backend_client.types.upstreams import UpstreamPut
from backend_client.types.usage import Granularity, UsageDimension
from tests.client.conftest import Maker
from tests.support.paths import CATALOG
from tests.support.waiting import until

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
SECRET = LocalSessionCreate(secret="a secret of this machine")


async def test_sessions(client: Maker, url: str, database: Database) -> None:
    nobody = client(url)
    options = await nobody.sessions.options()
    assert (options.local, options.oidc) == (True, False)
    with pytest.raises(Forbidden):
        await nobody.sessions.create(SessionCreate(id_token="none", nonce="none"))
    with pytest.raises(Unauthenticated):
        await nobody.sessions.create_local(LocalSessionCreate(secret="wrong"))
    with pytest.raises(Unauthenticated):
        await nobody.me.get()
    session = await nobody.sessions.create_local(SECRET)
    assert session.token not in repr(session)

    person = client(url, session.token)
    me = await person.me.get()
    assert (me.tenant.slug, me.role, me.is_operator) == ("local", Role.OWNER, True)
    other = await person.tenants.create(TenantCreate(slug="other", name="Other"))
    async with database.begin() as connection:
        await add_member(connection, other.id, me.user_id, Role.VIEWER)
    switched = await person.sessions.switch_tenant(SessionChange(tenant_id=other.id))
    assert (switched.tenant.id, switched.role) == (other.id, Role.VIEWER)
    assert len(switched.memberships) == 2
    await person.sessions.end()
    with pytest.raises(Unauthenticated):
        await person.me.get()


async def test_keys_and_applications(client: Maker, url: str, token: str) -> None:
    person = client(url, token)
    first = (await person.applications.list().all())[0]
    application = await person.applications.create(ApplicationCreate(name="Second"))
    listed = await person.applications.list().all()
    assert [item.name for item in listed] == [first.name, "Second"]
    with pytest.raises(Conflict, match="already"):
        await person.applications.create(ApplicationCreate(name="Second"))

    wanted = ApiKeyCreate(name="One", application_id=application.id, scopes=[Scope.USAGE_READ])
    key = await person.keys.create(wanted)
    assert key.secret.startswith(key.prefix)
    assert key.secret.endswith(key.last_four)
    assert key.secret not in repr(key)
    assert await person.keys.get(key.id) == (await person.keys.list().all())[0]
    assert (await client(url, key.secret).me.get()).scopes == [Scope.USAGE_READ]
    with pytest.raises(InvalidInput) as raised:
        await person.keys.create(wanted.model_copy(update={"models": ["none"]}))
    assert [error.field for error in raised.value.errors] == ["models"]
    with pytest.raises(NotFound):
        await person.keys.get("key_none")
    change = ApiKeyChange(limits=RateLimits(requests_per_minute=5))
    assert (await person.keys.update(key.id, change)).limits.requests_per_minute == 5
    rotated = await person.keys.rotate(key.id, ApiKeyRotate(grace_seconds=60))
    assert rotated.secret != key.secret
    for secret in (key.secret, rotated.secret):
        assert (await client(url, secret).me.get()).scopes == [Scope.USAGE_READ]
    of_all = ApplicationChange(
        limits=RateLimits(requests_per_minute=50),
        model_limits=[ModelLimits(models=["sample-small"], concurrent_requests=2)],
    )
    await person.applications.update(application.id, of_all)
    uses = await person.applications.limits(application.id).all()
    assert [(use.limit, use.models, use.remaining) for use in uses] == [
        ("requests_per_minute", None, 50),
        ("concurrent_requests", ["sample-small"], 2),
    ]
    daily = KeyBudget(amount=Decimal(9), period="day")
    await person.applications.update(application.id, ApplicationChange(budget=daily))
    assert (await person.applications.budget(application.id)).remaining == 9
    with pytest.raises(Conflict, match="can still be used"):
        await person.applications.update(application.id, ApplicationChange(archived=True))
    await person.keys.revoke(key.id)
    await person.keys.revoke(key.id)
    change = ApplicationChange(name="Past", archived=True)
    archived = await person.applications.update(application.id, change)
    assert (archived.name, archived.archived_at is not None) == ("Past", True)
    renamed = await person.me.update_tenant(OwnTenantChange(name="Renamed"))
    assert (await person.me.get()).tenant == renamed
    assert (await person.keys.get(key.id)).revoked_at is not None


async def test_lists_go_on_over_several_pages(client: Maker, url: str, token: str) -> None:
    person = client(url, token)
    application = (await person.applications.list().all())[0].id
    for number in range(105):
        await person.keys.create(ApiKeyCreate(name=str(number), application_id=application))
    keys = await person.keys.list().all()
    assert [key.name for key in keys] == [str(number) for number in reversed(range(105))]


async def test_members(client: Maker, url: str, token: str, database: Database) -> None:
    person = client(url, token)
    me = await person.me.get()
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="test", subject="2", name="Second", email="2@mail.example"
        )
        await add_member(connection, me.tenant.id, user, Role.VIEWER)
    assert {member.user_id for member in await person.members.list().all()} == {me.user_id, user}
    changed = await person.members.update(user, MemberChange(role=Role.ADMIN))
    assert (changed.role, changed.email) == (Role.ADMIN, "2@mail.example")
    with pytest.raises(Conflict, match="needs an owner"):
        await person.members.update(me.user_id, MemberChange(role=Role.VIEWER))
    await person.members.remove(user)
    with pytest.raises(NotFound):
        await person.members.remove(user)


async def test_invitations_and_audit(
    client: Maker, url: str, token: str, operator_key: str, database: Database
) -> None:
    person = client(url, token)
    other = await client(url, operator_key).tenants.create(TenantCreate(slug="two", name="Two"))
    async with database.begin() as connection:
        user = await upsert_user(connection, issuer="t", subject="2", name="Two", email=None)
        await add_member(connection, other.id, user, Role.OWNER)
        session = await begin_session(connection, user, other.id, seconds=600)
    invitation = await person.invitations.create(InvitationCreate(role=Role.BILLING))
    closed = await person.invitations.create(InvitationCreate(role=Role.VIEWER))
    await person.invitations.revoke(closed.id)
    second = client(url, session.token)
    joined = await second.invitations.accept(InvitationAccept(secret=invitation.secret))
    assert (joined.tenant.slug, joined.role) == ("local", Role.BILLING)
    with pytest.raises(NotFound):
        await second.invitations.accept(InvitationAccept(secret=closed.secret))
    assert [item.accepted_by for item in await person.invitations.list().all()] == [None, user]
    audit = await person.audit.list().all()
    assert audit[0].action == "invitation.accept"
    assert (audit[0].actor_name, audit[0].target) == ("Two", invitation.id)
    file = "".join([part async for part in person.audit.export(file_format="jsonl")])
    assert [AuditEntry.model_validate_json(line) for line in file.splitlines()] == audit
    table = [part async for part in client(url, operator_key).audit.export_all(tenant=other.id)]
    assert table[0].startswith("at,actor,actor_name,actor_kind,action")
    with pytest.raises(Forbidden):
        await anext(aiter(second.audit.export_all()))


async def test_tenants(client: Maker, url: str, operator_key: str, token: str) -> None:
    operator = client(url, operator_key)
    created = await operator.tenants.create(TenantCreate(slug="one", name="One"))
    assert [tenant.id for tenant in await operator.tenants.list().all()][-1] == created.id
    other = await operator.tenants.create(TenantCreate(slug="other", name="100% other_one"))
    for search, ids in (
        ("on", [created.id, other.id]),
        ("OTHER", [other.id]),
        ("%", [other.id]),
        ("_", [other.id]),
        (created.id, [created.id]),
        ("none of them", []),
    ):
        listed = await operator.tenants.list(search=search).all()
        assert [tenant.id for tenant in listed] == ids, search
    assert len((await operator.tenants.list(search="", limit=1).page()).items) == 1
    with pytest.raises(Conflict):
        await operator.tenants.create(TenantCreate(slug="one", name="One"))
    await operator.tenants.delete(created.id)
    with pytest.raises(NotFound):
        await operator.tenants.delete(created.id)


async def test_upstreams(client: Maker, url: str, operator_key: str) -> None:
    operator = client(url, operator_key)
    wanted = UpstreamPut(base_url="http://127.0.0.1:1/v1", models={"fast": "own"}, priority=2)
    put = await operator.upstreams.put("spare", wanted)
    assert (put.name, put.models, put.source) == ("spare", {"fast": "own"}, "database")
    # Its health may be known meanwhile
    read = await operator.upstreams.get("spare")
    assert read.model_copy(update={"health": put.health}) == put
    assert "spare" in [each.name for each in await operator.upstreams.list().all()]
    assert (await operator.upstreams.disable("spare", leave_unserved=True)).state == "disabled"
    assert (await operator.upstreams.enable("spare")).state == "active"
    assert not (await operator.upstreams.test("spare", model="fast", protocol="chat")).went_well
    assert (await operator.upstreams.retire("spare", leave_unserved=True)).state == "retired"
    await operator.upstreams.delete("spare")
    with pytest.raises(NotFound):
        await operator.upstreams.get("spare")


async def test_plans(client: Maker, url: str, operator_key: str, token: str) -> None:
    person = client(url, token)
    catalog = load_catalog(CATALOG)
    assert [model.id for model in await person.models.list().all()] == [
        model.id for model in catalog.models
    ]
    plans = [plan.definition.id for plan in await person.plans.list().all()]
    assert plans == [plan.id for plan in catalog.plans]
    applied = await client(url, operator_key).catalog.apply(catalog)
    assert (applied.plans_published, applied.taxes_changed) == ([], [])
    assert await client(url, operator_key).catalog.get() == catalog
    assert await client(url, operator_key).tax_rates.list().all() == catalog.taxes
    with pytest.raises(Forbidden):
        await client(url, (await a_key(person)).secret).catalog.apply(catalog)
    assert (await person.subscription.get()).plan.definition.id == catalog.default_plan
    entitled = await person.entitlements.get()
    assert (entitled.plan, entitled.quotas[0].used) == (catalog.default_plan, 0)
    tenant = (await person.me.get()).tenant.id
    entitlements = await client(url, operator_key).entitlements.get(tenant=tenant)
    assert entitlements.model_dump(exclude={"as_of"}) == entitled.model_dump(exclude={"as_of"})
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    changed = await person.subscription.update(SubscriptionChange(plan=plans[1], at=at))
    assert changed.start == at
    spend = await person.spend.report()
    assert spend.total.amount == Decimal("0.00")


async def test_events_and_usage(client: Maker, url: str, token: str, worker: None) -> None:
    person = client(url, token)
    key = await a_key(person, Scope.EVENTS_WRITE)
    event = UsageEvent.model_validate(
        {
            "id": "1",
            "source": "test",
            "type": "ai.usage",
            "data": {
                "application": key.application_id,
                "model": "sample-small",
                "quantities": {"input_tokens": Decimal("12345678901234567.123456789")},
            },
        }
    )
    result = await client(url, key.secret).events.send([event, event])
    assert (result.accepted, result.duplicates) == (1, 1)

    async def counted() -> bool:
        return bool((await person.usage.report()).rows)

    await until(counted)
    # A range is summed as it is asked, from one quarter hour to another
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    report = await person.usage.report(
        start=hour - timedelta(days=1),
        end=hour + timedelta(days=1),
        granularity=Granularity.TOTAL,
        group_by=[UsageDimension.MODEL, UsageDimension.METER],
        application=[key.application_id],
        model=["sample-small", "sample-large"],
        meter=["input_tokens"],
    )
    assert [(row.model, row.quantity) for row in report.rows] == [
        ("sample-small", Decimal("12345678901234567.123456789"))
    ]
    assert (await person.usage.report(key=[key.id])).rows == []
    table = await person.usage.csv(granularity=Granularity.TOTAL)
    assert "12345678901234567.123456789" in table
    with pytest.raises(InvalidInput) as raised:
        await person.usage.report(start=report.end, end=report.start)
    assert raised.value.errors[0].field == "end"


async def test_usage_is_filtered_and_grouped_by_label(
    client: Maker, url: str, token: str, operator_key: str, worker: None
) -> None:
    person, operator = client(url, token), client(url, operator_key)
    key = await a_key(person, Scope.EVENTS_WRITE)
    declared = await operator.labels.declare("team", tenant=(await person.me.get()).tenant.id)
    assert await person.labels.list().all() == [declared]
    events = [
        labeled_event(number, key.application_id, labels)
        for number, labels in enumerate([{"team": "search"}, {"team": "a=b"}, {}])
    ]
    await client(url, key.secret).events.send(events)

    async def report(**query: Any) -> dict[str | None, int]:
        answer = await person.usage.report(granularity=Granularity.TOTAL, **query)
        return {row.labels.get("team"): int(row.quantity) for row in answer.rows}

    async def counted() -> bool:
        return await report() == {None: 6}

    await until(counted)
    assert await report(group_by_label=["team"]) == {"search": 1, "a=b": 2, None: 3}
    limit = KeyBudget(amount=Decimal(7), period="day")
    wanted = LabelBudgetCreate(label="team", value="search", budget=limit)
    bound = await person.label_budgets.create(wanted)
    limit = KeyBudget(amount=Decimal(8), period="day")
    bound = await person.label_budgets.update(bound.id, LabelBudgetChange(budget=limit))
    assert await person.label_budgets.list().all() == [bound]
    assert (await person.label_budgets.use(bound.id)).remaining == 8
    await person.label_budgets.delete(bound.id)
    assert await report(label={"team": "a=b"}) == {None: 2}
    assert await report(label={"team": "search"}, group_by_label=["team"]) == {"search": 1}
    query = {"granularity": Granularity.TOTAL, "group_by_label": ["team"]}
    table = await person.usage.csv(label={"team": "a=b"}, **query)
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["label.team"], row["quantity"]) == ("a=b", "2")
    with pytest.raises(InvalidInput) as raised:
        await person.usage.report(group_by_label=["none"])
    assert raised.value.errors[0].field == "group_by_label"


def labeled_event(number: int, application: str, labels: dict[str, str]) -> UsageEvent:
    data = {
        "application": application,
        "model": "sample-small",
        "quantities": {"requests": number + 1},
        "labels": labels,
    }
    return UsageEvent.model_validate(
        {"id": str(number), "source": "test", "type": "ai.usage", "data": data}
    )


async def a_key(person: Any, scope: Scope = Scope.INFERENCE) -> Any:
    application = (await person.applications.list().all())[0].id
    wanted = ApiKeyCreate(name="A key", application_id=application, scopes=[scope])
    return await person.keys.create(wanted)
