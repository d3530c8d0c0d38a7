"""What becomes of work whose caller disconnects before the answer begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request

from backend.api.errors import CallerLeft

Result = TypeVar("Result")


async def unless_left(
    request: Request, work: Coroutine[Any, Any, Result], *, may_stop: Callable[[], bool]
) -> Result:
    """Return what ``work`` does; cancel it if the caller leaves, where it ``may_stop`` then.

    Raises ``CallerLeft`` if it was stopped. The request's body has been read.
    """
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and may_stop():
            task.cancel()
            await asyncio.wait({task})
            if task.cancelled():
                raise CallerLeft()
        return await task
    finally:
        leaving.cancel()
        task.cancel()  # if this was canceled itself; else it has ended


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        """Parts of a body that nobody reads."""
