"""The synchronous client."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from backend_client import requests
from backend_client.errors import ClientError, Unavailable, error_of
from backend_client.requests import Answer, Call
from backend_client.transport import RETRIES, STREAM_TIMEOUT, TIMEOUT, Retries, headers, unreachable
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

Item = TypeVar("Item")


class FareboxClient:
    """Farebox's API over plain calls. Close it when done, or use it in ``with``.

    ``credential`` is an API key, an operator's key or a session's token. Every method raises
    ``ClientError``: ``Unauthenticated``, ``NotFound`` and so on, as the API says, or
    ``Unavailable`` if it can't be reached. Calls that can be repeated without harm are, with
    growing pauses.
    """

    def __init__(
        self,
        base_url: str,
        credential: str | None = None,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        retries: Retries = RETRIES,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, headers=headers(credential), timeout=timeout)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _do(self, call: Call[Answer]) -> Answer:
        for attempt in itertools.count():
            response: httpx.Response | None = None
            failure: ClientError
            cause: httpx.TransportError | None
            try:
                response = self._http.request(
                    call.method,
                    call.path,
                    params=call.params,
                    headers=call.headers,
                    content=call.content,
                )
            except httpx.TransportError as error:
                failure, cause = unreachable(error), error
            else:
                if response.is_success or response.status_code == 304:
                    return call.read(response)
                failure, cause = error_of(response), None
            pause = self._retries.pause(attempt, response) if call.repeatable else None
            if pause is None:
                raise failure from cause
            threading.Event().wait(pause)
        raise AssertionError("counting has no end")

    def _items(self, call: Call[Page[Item]]) -> Iterator[Item]:
        cursor: str | None = None
        while True:
            page = self._do(call.page(cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _all(self, call: Call[Page[Item]]) -> list[Item]:
        return list(self._items(call))

    def sign_in_options(self) -> SignInOptions:
        """Say which ways to sign in there are."""
        return self._do(requests.sign_in_options())

    def create_session(self, wanted: SessionCreate) -> SessionCreated:
        """Begin a session with the identity provider's ID token."""
        return self._do(requests.create_session(wanted))

    def create_local_session(self, wanted: LocalSessionCreate) -> SessionCreated:
        """Begin a session for the person at this machine."""
        return self._do(requests.create_local_session(wanted))

    def switch_tenant(self, change: SessionChange) -> Me:
        """Let the session act for another of one's tenants."""
        return self._do(requests.switch_tenant(change))

    def end_session(self) -> None:
        """Sign out."""
        self._do(requests.end_session())

    def me(self) -> Me:
        """Say who the credential belongs to."""
        return self._do(requests.me())

    def applications(self) -> list[Application]:
        """All applications, oldest first."""
        return self._all(requests.applications())

    def create_application(self, wanted: ApplicationCreate) -> Application:
        """Make an application."""
        return self._do(requests.create_application(wanted))

    def keys(self) -> list[ApiKey]:
        """All keys, newest first."""
        return self._all(requests.keys())

    def key(self, key_id: str) -> ApiKey:
        """One key."""
        return self._do(requests.key(key_id))

    def create_key(self, wanted: ApiKeyCreate) -> ApiKeyCreated:
        """Make a key; its secret is in this answer alone."""
        return self._do(requests.create_key(wanted))

    def revoke_key(self, key_id: str) -> None:
        """Revoke a key for good."""
        self._do(requests.revoke_key(key_id))

    def members(self) -> list[Member]:
        """All members."""
        return self._all(requests.members())

    def change_member(self, user_id: str, change: MemberChange) -> Member:
        """Give a member another role."""
        return self._do(requests.change_member(user_id, change))

    def remove_member(self, user_id: str) -> None:
        """End a membership."""
        self._do(requests.remove_member(user_id))

    def tenants(self) -> list[Tenant]:
        """All tenants; for the operator."""
        return self._all(requests.tenants())

    def create_tenant(self, wanted: TenantCreate) -> Tenant:
        """Make a tenant; for the operator."""
        return self._do(requests.create_tenant(wanted))

    def delete_tenant(self, tenant_id: str) -> None:
        """Remove a tenant with all that it has; for the operator."""
        self._do(requests.delete_tenant(tenant_id))

    def models(self) -> list[ModelInfo]:
        """The models on sale, with their prices on the caller's plan."""
        return self._all(requests.models())

    def plans(self) -> list[Plan]:
        """The plans on sale."""
        return self._all(requests.plans())

    def apply_catalog(self, catalog: Catalog) -> CatalogApplied:
        """Publish what a catalog changes; for the operator."""
        return self._do(requests.apply_catalog(catalog))

    def subscription(self) -> Subscription:
        """The plan in force."""
        return self._do(requests.subscription())

    def change_plan(self, change: SubscriptionChange) -> Subscription:
        """Move to another plan."""
        return self._do(requests.change_plan(change))

    def spend(self) -> SpendReport:
        """What the billing period has cost so far, by line."""
        return self._do(requests.spend())

    def forecast(self) -> Forecast | None:
        """Where spend is heading; None while it is being computed: ask again."""
        return self._do(requests.forecast())

    def send_events(self, events: Sequence[UsageEvent]) -> IngestResult:
        """Send usage events; harmless to repeat."""
        return self._do(requests.send_events(events))

    def usage(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        granularity: Granularity = Granularity.DAY,
        group_by: Iterable[UsageDimension] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
        etag: str | None = None,
    ) -> UsageReport | None:
        """Sum usage by time, meter and ``group_by``; None if ``etag`` is still current."""
        call = requests.usage(
            start=start,
            end=end,
            granularity=granularity,
            group_by=group_by,
            application=application,
            key=key,
            model=model,
            meter=meter,
            etag=etag,
        )
        return self._do(call)

    def usage_csv(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        granularity: Granularity = Granularity.DAY,
        group_by: Iterable[UsageDimension] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
    ) -> str:
        """Return the same sums as CSV."""
        call = requests.usage(
            start=start,
            end=end,
            granularity=granularity,
            group_by=group_by,
            application=application,
            key=key,
            model=model,
            meter=meter,
        )
        return self._do(requests.usage_csv(call))

    def chat_stream(self, **request: object) -> Generator[dict[str, Any], None, None]:
        """Stream a chat completion: OpenAI's request, and its chunks as they come.

        Close the iterator to stop; what was generated until then is billed.
        """
        with self._http.stream(
            "POST",
            "/v1/chat/completions",
            json={**request, "stream": True},
            timeout=STREAM_TIMEOUT,
        ) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            try:
                for line in response.iter_lines():
                    data = line.removeprefix("data:").strip()
                    if not line.startswith("data:") or data == "[DONE]":
                        continue
                    chunk = json.loads(data)
                    if "error" in chunk:
                        raise Unavailable(str(chunk["error"].get("message")))
                    yield chunk
            except httpx.TransportError as error:
                raise unreachable(error) from error
