"""What becomes of work whose caller disconnects before the answer begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from backend.api.errors import CallerLeft

Result = TypeVar("Result")


async def unless_left(
    receive: Receive, work: Coroutine[Any, Any, Result], *, may_stop: Callable[[], bool]
) -> Result:
    """Return what ``work`` does; cancel it if the caller leaves, where it ``may_stop`` then.

    Raises ``CallerLeft`` if it was stopped. ``receive`` is the request's (ASGI), whose
    body has been read.
    """
    running, stopped = asyncio.current_task(), False
    if running is None:
        raise RuntimeError("only a task can be canceled")

    def stop(watch: asyncio.Task[None]) -> None:
        nonlocal stopped
        if not watch.cancelled() and watch.exception() is None and may_stop():
            stopped = True
            running.cancel()

    watch = asyncio.create_task(_left(receive))
    watch.add_done_callback(stop)
    try:
        return await work
    except asyncio.CancelledError:
        if not stopped:
            raise
        stopped = False
        if running.uncancel() > 0:  # by another as well, who is to see it
            raise
        raise CallerLeft() from None
    finally:
        watch.remove_done_callback(stop)
        watch.cancel()
        if stopped:  # too late: the work had ended
            running.uncancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        """Parts of a body that nobody reads."""
