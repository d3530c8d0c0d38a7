"""The asynchronous client."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
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


class AsyncFareboxClient:
    """Farebox's API over asyncio. Close it when done, or use it in ``async with``.

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
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=headers(credential), timeout=timeout
        )
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _do(self, call: Call[Answer]) -> Answer:
        for attempt in itertools.count():
            response: httpx.Response | None = None
            failure: ClientError
            cause: httpx.TransportError | None
            try:
                response = await self._http.request(
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
            await asyncio.sleep(pause)
        raise AssertionError("counting has no end")

    async def _items(self, call: Call[Page[Item]]) -> AsyncIterator[Item]:
        cursor: str | None = None
        while True:
            page = await self._do(call.page(cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _all(self, call: Call[Page[Item]]) -> list[Item]:
        return [item async for item in self._items(call)]

    async def sign_in_options(self) -> SignInOptions:
        """Say which ways to sign in there are."""
        return await self._do(requests.sign_in_options())

    async def create_session(self, wanted: SessionCreate) -> SessionCreated:
        """Begin a session with the identity provider's ID token."""
        return await self._do(requests.create_session(wanted))

    async def create_local_session(self, wanted: LocalSessionCreate) -> SessionCreated:
        """Begin a session for the person at this machine."""
        return await self._do(requests.create_local_session(wanted))

    async def switch_tenant(self, change: SessionChange) -> Me:
        """Let the session act for another of one's tenants."""
        return await self._do(requests.switch_tenant(change))

    async def end_session(self) -> None:
        """Sign out."""
        await self._do(requests.end_session())

    async def me(self) -> Me:
        """Say who the credential belongs to."""
        return await self._do(requests.me())

    async def applications(self) -> list[Application]:
        """All applications, oldest first."""
        return await self._all(requests.applications())

    async def create_application(self, wanted: ApplicationCreate) -> Application:
        """Make an application."""
        return await self._do(requests.create_application(wanted))

    async def keys(self) -> list[ApiKey]:
        """All keys, newest first."""
        return await self._all(requests.keys())

    async def key(self, key_id: str) -> ApiKey:
        """One key."""
        return await self._do(requests.key(key_id))

    async def create_key(self, wanted: ApiKeyCreate) -> ApiKeyCreated:
        """Make a key; its secret is in this answer alone."""
        return await self._do(requests.create_key(wanted))

    async def revoke_key(self, key_id: str) -> None:
        """Revoke a key for good."""
        await self._do(requests.revoke_key(key_id))

    async def members(self) -> list[Member]:
        """All members."""
        return await self._all(requests.members())

    async def change_member(self, user_id: str, change: MemberChange) -> Member:
        """Give a member another role."""
        return await self._do(requests.change_member(user_id, change))

    async def remove_member(self, user_id: str) -> None:
        """End a membership."""
        await self._do(requests.remove_member(user_id))

    async def tenants(self) -> list[Tenant]:
        """All tenants; for the operator."""
        return await self._all(requests.tenants())

    async def create_tenant(self, wanted: TenantCreate) -> Tenant:
        """Make a tenant; for the operator."""
        return await self._do(requests.create_tenant(wanted))

    async def delete_tenant(self, tenant_id: str) -> None:
        """Remove a tenant with all that it has; for the operator."""
        await self._do(requests.delete_tenant(tenant_id))

    async def models(self) -> list[ModelInfo]:
        """The models on sale, with their prices on the caller's plan."""
        return await self._all(requests.models())

    async def plans(self) -> list[Plan]:
        """The plans on sale."""
        return await self._all(requests.plans())

    async def apply_catalog(self, catalog: Catalog) -> CatalogApplied:
        """Publish what a catalog changes; for the operator."""
        return await self._do(requests.apply_catalog(catalog))

    async def subscription(self) -> Subscription:
        """The plan in force."""
        return await self._do(requests.subscription())

    async def change_plan(self, change: SubscriptionChange) -> Subscription:
        """Move to another plan."""
        return await self._do(requests.change_plan(change))

    async def spend(self) -> SpendReport:
        """What the billing period has cost so far, by line."""
        return await self._do(requests.spend())

    async def forecast(self) -> Forecast | None:
        """Where spend is heading; None while it is being computed: ask again."""
        return await self._do(requests.forecast())

    async def send_events(self, events: Sequence[UsageEvent]) -> IngestResult:
        """Send usage events; harmless to repeat."""
        return await self._do(requests.send_events(events))

    async def usage(
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
        return await self._do(call)

    async def usage_csv(
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
        return await self._do(requests.usage_csv(call))

    async def chat_stream(self, **request: object) -> AsyncGenerator[dict[str, Any], None]:
        """Stream a chat completion: OpenAI's request, and its chunks as they come.

        Close the iterator to stop; what was generated until then is billed.
        """
        async with self._http.stream(
            "POST",
            "/v1/chat/completions",
            json={**request, "stream": True},
            timeout=STREAM_TIMEOUT,
        ) as response:
            if not response.is_success:
                await response.aread()
                raise error_of(response)
            try:
                async for line in response.aiter_lines():
                    data = line.removeprefix("data:").strip()
                    if not line.startswith("data:") or data == "[DONE]":
                        continue
                    chunk = json.loads(data)
                    if "error" in chunk:
                        raise Unavailable(str(chunk["error"].get("message")))
                    yield chunk
            except httpx.TransportError as error:
                raise unreachable(error) from error
