"""Every request of the API as data: what to send, and how to read the answer.

Both clients send these, so that each route is written down once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter

from backend_client.types.accounts import (
    ApiKey,
    ApiKeyCreate,
    ApiKeyCreated,
    Application,
    ApplicationCreate,
    LocalSessionCreate,
    Me,
    Member,
    MemberChange,
    SessionChange,
    SessionCreate,
    SessionCreated,
    SignInOptions,
    Tenant,
    TenantCreate,
)
from backend_client.types.common import Page
from backend_client.types.events import IngestResult, UsageEvent
from backend_client.types.models import ModelInfo
from backend_client.types.plans import (
    Catalog,
    CatalogApplied,
    Plan,
    Subscription,
    SubscriptionChange,
)
from backend_client.types.spend import Forecast, SpendReport
from backend_client.types.usage import Granularity, UsageDimension, UsageReport

Answer = TypeVar("Answer")
Params = dict[str, str | int | list[str]]


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """A request. ``repeatable`` ones are sent again after a failure that may pass."""

    method: str
    path: str
    read: Callable[[httpx.Response], Answer]
    params: Params = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    repeatable: bool = True

    def page(self, cursor: str | None) -> Call[Answer]:
        """The same request for the page that ``cursor`` names."""
        params = self.params if cursor is None else {**self.params, "cursor": cursor}
        return Call(self.method, self.path, self.read, params, self.headers)


_JSON = {"content-type": "application/json"}


def _reader(kind: type[Answer] | Any) -> Callable[[httpx.Response], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return lambda response: adapter.validate_json(response.content)


def _nothing(_response: httpx.Response) -> None:
    return None


def _get(path: str, kind: Any) -> Call[Any]:
    return Call("GET", path, _reader(kind))


def _send(method: str, path: str, body: BaseModel, kind: Any, *, repeatable: bool) -> Call[Any]:
    read = _nothing if kind is None else _reader(kind)
    content = body.model_dump_json(exclude_none=True).encode()
    return Call(method, path, read, headers=_JSON, content=content, repeatable=repeatable)


def _create(path: str, body: BaseModel, kind: Any) -> Call[Any]:
    """A create that may be sent again, because its key tells the API that it is the same."""
    content = body.model_dump_json(exclude_none=True).encode()
    headers = {**_JSON, "idempotency-key": uuid.uuid4().hex}
    return Call("POST", path, _reader(kind), headers=headers, content=content)


# Sessions


def sign_in_options() -> Call[SignInOptions]:
    return _get("/v1/sign-in", SignInOptions)


def create_session(wanted: SessionCreate) -> Call[SessionCreated]:
    return _send("POST", "/v1/sessions", wanted, SessionCreated, repeatable=False)


def create_local_session(wanted: LocalSessionCreate) -> Call[SessionCreated]:
    return _send("POST", "/v1/sessions/local", wanted, SessionCreated, repeatable=False)


def switch_tenant(change: SessionChange) -> Call[Me]:
    return _send("PATCH", "/v1/sessions/current", change, Me, repeatable=True)


def end_session() -> Call[None]:
    return Call("DELETE", "/v1/sessions/current", _nothing, repeatable=False)


# Accounts


def me() -> Call[Me]:
    return _get("/v1/me", Me)


def applications() -> Call[Page[Application]]:
    return _get("/v1/applications", Page[Application])


def create_application(wanted: ApplicationCreate) -> Call[Application]:
    return _create("/v1/applications", wanted, Application)


def keys() -> Call[Page[ApiKey]]:
    return _get("/v1/keys", Page[ApiKey])


def key(key_id: str) -> Call[ApiKey]:
    return _get(f"/v1/keys/{key_id}", ApiKey)


def create_key(wanted: ApiKeyCreate) -> Call[ApiKeyCreated]:
    # Not repeated: the secret is in the first answer alone, and a second could not show it.
    return _send("POST", "/v1/keys", wanted, ApiKeyCreated, repeatable=False)


def revoke_key(key_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/keys/{key_id}", _nothing)


def members() -> Call[Page[Member]]:
    return _get("/v1/members", Page[Member])


def change_member(user_id: str, change: MemberChange) -> Call[Member]:
    return _send("PATCH", f"/v1/members/{user_id}", change, Member, repeatable=True)


def remove_member(user_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/members/{user_id}", _nothing, repeatable=False)


def tenants() -> Call[Page[Tenant]]:
    return _get("/v1/tenants", Page[Tenant])


def create_tenant(wanted: TenantCreate) -> Call[Tenant]:
    return _send("POST", "/v1/tenants", wanted, Tenant, repeatable=False)


def delete_tenant(tenant_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/tenants/{tenant_id}", _nothing, repeatable=False)


# Catalog and plans


def models() -> Call[Page[ModelInfo]]:
    return _get("/v1/catalog/models", Page[ModelInfo])


def plans() -> Call[Page[Plan]]:
    return _get("/v1/plans", Page[Plan])


def apply_catalog(catalog: Catalog) -> Call[CatalogApplied]:
    return _send("PUT", "/v1/catalog", catalog, CatalogApplied, repeatable=True)


def subscription() -> Call[Subscription]:
    return _get("/v1/subscription", Subscription)


def change_plan(change: SubscriptionChange) -> Call[Subscription]:
    return _send("PUT", "/v1/subscription", change, Subscription, repeatable=True)


# Usage and spend


def usage(
    *,
    start: datetime | None,
    end: datetime | None,
    granularity: Granularity,
    group_by: Iterable[UsageDimension],
    application: Sequence[str],
    key: Sequence[str],
    model: Sequence[str],
    meter: Sequence[str],
    etag: str | None = None,
) -> Call[UsageReport | None]:
    params: Params = {"granularity": granularity.value}
    for name, moment in (("start", start), ("end", end)):
        if moment is not None:
            params[name] = moment.isoformat()
    # UsageReport always groups by meter.
    dimensions = [one.value for one in group_by if one is not UsageDimension.METER]
    for name, values in (
        ("group_by", dimensions),
        ("application", application),
        ("key", key),
        ("model", model),
        ("meter", meter),
    ):
        if values:
            params[name] = list(values)
    read = _reader(UsageReport)
    return Call(
        "GET",
        "/v1/usage",
        lambda response: None if response.status_code == 304 else read(response),
        params,
        {"if-none-match": etag} if etag else {},
    )


def usage_csv(asked: Call[UsageReport | None]) -> Call[str]:
    return Call(
        "GET", asked.path, lambda response: response.text, {**asked.params, "format": "csv"}
    )


def spend() -> Call[SpendReport]:
    return _get("/v1/spend", SpendReport)


def forecast() -> Call[Forecast | None]:
    read = _reader(Forecast)
    return Call(
        "GET",
        "/v1/forecast",
        lambda response: None if response.status_code == 202 else read(response),
    )


def send_events(events: Sequence[UsageEvent]) -> Call[IngestResult]:
    content = TypeAdapter(list[UsageEvent]).dump_json(list(events), exclude_none=True)
    headers = {"content-type": "application/cloudevents-batch+json"}
    # Sent again without harm: an event counts once.
    return Call("POST", "/v1/events", _reader(IngestResult), headers=headers, content=content)
