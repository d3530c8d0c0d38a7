"""What the test of the audit does: any route, and all that the operator does for a customer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.ids import new_id
from backend.metering.counting.labels import declare_label
from backend.storage.database import Database
from backend.subscriptions.changes import pause, start_subscription
from backend_client.types.accounts import Role, Tenant
from backend_client.types.subscriptions import SubscriptionPause
from tests.support.billing import make_tenant

Headers = dict[str, str]
Route = tuple[str, str]


class Acts:
    """Does what routes do, each under a request id of its own, and notes which were done."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self._api = api
        self.done: dict[str, Route] = {}

    async def __call__(
        self, method: str, path: str, by: Headers, body: Any = None, /, **ids: str
    ) -> Any:
        """Call a route and return its answer's document; ``ids`` fill the path, or the query."""
        request_id = f"act-{len(self.done)}"
        url = path.format(**ids) if "{" in path else path
        sent: dict[str, Any] = {"headers": by | {"x-request-id": request_id}}
        if isinstance(body, bytes):
            sent["content"] = body
        elif body is not None:
            sent["json"] = body
        query = {name: value for name, value in ids.items() if "{" + name + "}" not in path}
        answer = await self._api.request(method, url, params=query, **sent)
        assert answer.is_success, (method, path, answer.text)
        self.done[request_id] = (method.lower(), path)
        return answer.json() if answer.content else None

    async def read(self, url: str, by: Headers) -> Any:
        """Return what a route answers that changes nothing."""
        return (await self._api.get(url, headers=by)).json()


async def member(database: Database, tenant_id: str, role: Role) -> tuple[str, Headers]:
    """A new person with a role in a tenant, signed in."""
    async with database.begin() as connection:
        name = new_id("usr")
        user = await upsert_user(connection, issuer="test", subject=name, name="P", email=None)
        await add_member(connection, tenant_id, user, role)
        session = await begin_session(connection, user, tenant_id, seconds=600)
    return user, {"authorization": f"Bearer {session.token}"}


async def paused_tenant(database: Database) -> Tenant:
    """A tenant that paused its subscription a day ago."""
    tenant = await make_tenant(database, time_zone="UTC")
    began = datetime.now(UTC) - timedelta(days=2)
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "pay-as-you-go", began)
        await pause(connection, tenant.id, SubscriptionPause(), began + timedelta(days=1))
    return tenant


async def for_a_customer(act: Acts, operator: Headers, database: Database) -> None:
    """Do all that the operator can do for a customer as its people can; there is a coupon."""
    tenant = await paused_tenant(database)
    at = {"tenant_id": tenant.id}
    path = "/v1/tenants/{tenant_id}"
    await act("POST", path + "/subscription/resume", operator, **at)
    await act("POST", path + "/subscription/pause", operator, {}, **at)
    await act("PUT", path + "/subscription", operator, {"plan": "pay-as-you-go"}, **at)
    await act("POST", path + "/subscription/cancel", operator, {}, **at)
    coupon = {"id": "third", "name": "Third", "percent": "30", "periods": None}
    await act("PUT", "/v1/coupons/{coupon_id}", operator, coupon, coupon_id="third")
    await act("POST", path + "/subscription/coupons", operator, {"coupon": "third"}, **at)
    await act("PUT", path + "/billing-details", operator, {"name": "Helped Ltd"}, **at)
    await act("PUT", path + "/wallet", operator, {"low_balance": "1"}, **at)
    await act("POST", path + "/wallet/top-ups", operator, {"amount": "20"}, **at)

    application = await act("POST", path + "/applications", operator, {"name": "New"}, **at)
    its = at | {"application_id": application["id"]}
    await act("PATCH", path + "/applications/{application_id}", operator, {"name": "Old"}, **its)
    async with database.begin() as connection:
        await declare_label(connection, tenant.id, "squad")
    budget = {"budget": {"amount": "5", "period": "day"}}
    of_squad = {"label": "squad", "value": "a", **budget}
    bound = await act("POST", path + "/label-budgets", operator, of_squad, **at)
    bounds = at | {"budget_id": bound["id"]}
    await act("PATCH", path + "/label-budgets/{budget_id}", operator, budget, **bounds)
    await act("DELETE", path + "/label-budgets/{budget_id}", operator, **bounds)
    wanted = {"name": "k", "application_id": application["id"]}
    key = at | {"key_id": (await act("POST", path + "/keys", operator, wanted, **at))["id"]}
    await act("PATCH", path + "/keys/{key_id}", operator, {"name": "l"}, **key)
    await act("POST", path + "/keys/{key_id}/rotate", operator, {}, **key)
    await act("DELETE", path + "/keys/{key_id}/previous", operator, **key)
    await act("DELETE", path + "/keys/{key_id}", operator, **key)

    invited = await act("POST", path + "/invitations", operator, {"role": "owner"}, **at)
    gone = at | {"invitation_id": invited["id"]}
    await act("DELETE", path + "/invitations/{invitation_id}", operator, **gone)
    person, _ = await member(database, tenant.id, Role.VIEWER)
    them = at | {"user_id": person}
    await act("PATCH", path + "/members/{user_id}", operator, {"role": "billing"}, **them)
    await act("DELETE", path + "/members/{user_id}", operator, **them)
