"""Sending a call: again after a failure that may pass, and page by page.

The clients' methods inherit one of the two; they differ in waiting alone.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx

from backend_client.errors import ClientError, error_of
from backend_client.requests.call import Answer, Call
from backend_client.transport import RETRIES, TIMEOUT, Retries, headers, unreachable
from backend_client.types.common import Page

Item = TypeVar("Item")


class Sender:
    """Sends calls over plain calls."""

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
            cause: httpx.RequestError | None
            try:
                response = self._http.request(
                    call.method,
                    call.path,
                    params=call.params,
                    headers=call.headers,
                    content=call.content,
                )
            except httpx.RequestError as error:
                failure, cause = unreachable(error), error
            else:
                if response.is_success or response.status_code == 304:
                    return call.answer(response)
                failure, cause = error_of(response), None
            pause = self._retries.pause(attempt, response) if call.repeatable else None
            if pause is None:
                raise failure from cause
            threading.Event().wait(pause)
        raise AssertionError("counting has no end")

    def _items(self, call: Call[Page[Item]]) -> Iterator[Item]:
        """Iterate over all items, fetching each page when it is come to."""
        cursor: str | None = None
        while True:
            page = self._do(call.page(cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _all(self, call: Call[Page[Item]]) -> list[Item]:
        return list(self._items(call))


class AsyncSender:
    """Sends calls over asyncio."""

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
            cause: httpx.RequestError | None
            try:
                response = await self._http.request(
                    call.method,
                    call.path,
                    params=call.params,
                    headers=call.headers,
                    content=call.content,
                )
            except httpx.RequestError as error:
                failure, cause = unreachable(error), error
            else:
                if response.is_success or response.status_code == 304:
                    return call.answer(response)
                failure, cause = error_of(response), None
            pause = self._retries.pause(attempt, response) if call.repeatable else None
            if pause is None:
                raise failure from cause
            await asyncio.sleep(pause)
        raise AssertionError("counting has no end")

    async def _items(self, call: Call[Page[Item]]) -> AsyncIterator[Item]:
        """Iterate over all items, fetching each page when it is come to."""
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
