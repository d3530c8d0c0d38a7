"""What becomes of work whose caller disconnects before the answer begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from backend.api.errors import CallerLeft

Result = TypeVar("Result")


class Watch:
    """Sees whether a request's caller leaves. ``end`` it in every case."""

    def __init__(self, receive: Receive) -> None:
        """``receive`` is the request's (ASGI), whose body has been read."""
        self._left = asyncio.create_task(_left(receive))

    async def unless_left(
        self, work: Coroutine[Any, Any, Result], *, may_stop: Callable[[], bool]
    ) -> Result:
        """Return what ``work`` does; cancel it if the caller leaves, where it ``may_stop`` then.

        Raises ``CallerLeft`` if it was stopped.
        """
        running, stopped = asyncio.current_task(), False
        if running is None:
            raise RuntimeError("only a task can be canceled")

        def stop(left: asyncio.Task[None]) -> None:
            nonlocal stopped
            if not left.cancelled() and left.exception() is None and may_stop():
                stopped = True
                running.cancel()

        self._left.add_done_callback(stop)
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
            self._left.remove_done_callback(stop)
            if stopped:  # too late: the work had ended
                running.uncancel()

    def end(self) -> None:
        """Look no longer."""
        self._left.cancel()


async def unless_left(
    receive: Receive, work: Coroutine[Any, Any, Result], *, may_stop: Callable[[], bool]
) -> Result:
    """Do one piece of work as ``Watch.unless_left`` does."""
    watch = Watch(receive)
    try:
        return await watch.unless_left(work, may_stop=may_stop)
    finally:
        watch.end()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        """Parts of a body that nobody reads."""
