"""The asynchronous client."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import httpx

from backend_client._async.resources import AsyncResources
from backend_client._async.sender import AsyncSender, open_connections
from backend_client.profiles import PATIENT, Profile
from backend_client.responses import RawResponse, raw_response, recording

Params = ParamSpec("Params")
Answer = TypeVar("Answer")


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

    def with_raw_response(
        self, method: Callable[Params, Awaitable[Answer]]
    ) -> Callable[Params, Awaitable[RawResponse[Answer]]]:
        """Have a method return its result with the answer's status, headers and body.

        For example: ``raw = await client.with_raw_response(client.keys.get)("key_...")``.
        """

        async def with_response(
            *arguments: Params.args, **named: Params.kwargs
        ) -> RawResponse[Answer]:
            with recording() as responses:
                answer = await method(*arguments, **named)
            return raw_response(answer, responses)

        return with_response
