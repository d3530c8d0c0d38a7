"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from backend_client._async.sender import AsyncSender
from backend_client.calls import Call
from backend_client.types.common import Page

Item = TypeVar("Item")


class AsyncPager(Generic[Item]):
    """A list of the API, of which nothing is fetched until you ask for it.

    ``async for item in pager`` goes through all items, and fetches each page when it is reached.
    Each method raises ``ClientError``, as all of the client's do.
    """

    def __init__(self, sender: AsyncSender, call: Call[Page[Item]]) -> None:
        self._sender = sender
        self._call = call

    async def __aiter__(self) -> AsyncGenerator[Item, None]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncGenerator[Page[Item], None]:
        """Go through the pages, and fetch each when it is reached."""
        call = self._call
        while True:
            page = await self._sender.send(call)
            yield page
            if page.next_cursor is None:
                return
            call = self._call.page(page.next_cursor)

    async def page(self) -> Page[Item]:
        """Fetch one page: the first, or the one that ``cursor`` named."""
        return await self._sender.send(self._call)

    async def all(self) -> list[Item]:
        """Fetch all items."""
        items: list[Item] = []
        async for page in self.pages():
            items += page.items
        return items

    async def first(self, count: int) -> list[Item]:
        """Fetch up to ``count`` items, and no page beyond them."""
        items: list[Item] = []
        async for page in self.pages():
            items += page.items
            if len(items) >= count:
                break
        return items[:count]
