"""The asynchronous client."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

import httpx

from backend_client._async.pager import AsyncPager
from backend_client._async.resources import AsyncResources
from backend_client._async.sender import AsyncSender, open_connections
from backend_client.profiles import PATIENT, Profile
from backend_client.responses import RawResponse, no_raw_response, raw_response, recording
from backend_client.types.common import Page

Params = ParamSpec("Params")
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class AsyncFareboxClient(AsyncResources):
    """Farebox's API over asyncio. Close it when done, or use it in ``async with``.

    ``credential`` is an API key, an operator's key or a session's token. ``profile`` says how long
    to wait for an answer and when to send a request again; requests that can't be repeated without
    harm are sent once. ``transport`` is httpx's, for a proxy or certificates of your own.

    Every method raises ``ClientError``: ``Unauthenticated``, ``NotFound`` and so on, as the API
    says, ``Unavailable`` if it can't be reached or ``UnexpectedAnswer`` if something else answers.
    """

    def __init__(
        self,
        base_url: str,
        credential: str | None = None,
        *,
        profile: Profile = PATIENT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = open_connections(base_url, credential, transport)
        super().__init__(AsyncSender(http, profile))

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
        """Close the connections, also of the clients that were made of this one."""
        await self._sender.http.aclose()

    def with_profile(self, profile: Profile) -> Self:
        """Make a client with other timeouts and retries, over the same connections."""
        return self._with(AsyncSender(self._sender.http, profile, self._sender.headers))

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Make a client that sends ``headers`` with every request, over the same connections.

        A service that acts for others says so with ``x-forwarded-for``; the API believes it of
        addresses that its operator trusts.
        """
        sender = self._sender
        merged = {**sender.headers, **headers}
        return self._with(AsyncSender(sender.http, sender.profile, merged))

    def _with(self, sender: AsyncSender) -> Self:
        client = copy.copy(self)
        AsyncResources.__init__(client, sender)
        return client

    @overload
    def with_raw_response(
        self, method: Callable[Params, AsyncPager[Item]]
    ) -> Callable[Params, Awaitable[RawResponse[Page[Item]]]]: ...

    @overload
    def with_raw_response(
        self, method: Callable[Params, Awaitable[Answer]]
    ) -> Callable[Params, Awaitable[RawResponse[Answer]]]: ...

    def with_raw_response(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Have a method return its result with the answer's status, headers and body.

        For example: ``raw = await client.with_raw_response(client.keys.get)("key_...")``. A list's
        method fetches one page so: the first, or the one that ``cursor`` names.

        Calling what it returns raises ``TypeError`` if the method is a stream's, whose answer is
        not read at once, or sends nothing.
        """

        async def with_response(*arguments: Any, **named: Any) -> RawResponse[Any]:
            with recording() as responses:
                result = method(*arguments, **named)
                if isinstance(result, AsyncGenerator):
                    raise no_raw_response(method)
                answer = await (result.page() if isinstance(result, AsyncPager) else result)
            if not responses:
                raise no_raw_response(method)
            return raw_response(answer, responses)

        return with_response
