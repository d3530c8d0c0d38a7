"""Waiting for what another process does: ask until it is so, and fail when it never is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

_PAUSE_SECONDS = 0.05


async def until(
    holds: Callable[[], Awaitable[bool]], *, seconds: float = 30.0, pause: float = _PAUSE_SECONDS
) -> None:
    """Return once ``holds()`` does; raise ``TimeoutError`` if it does not within ``seconds``."""
    never = asyncio.Event()
    async with asyncio.timeout(seconds):
        while not await holds():
            with suppress(TimeoutError):
                await asyncio.wait_for(never.wait(), pause)
