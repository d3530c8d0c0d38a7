"""Waiting for what another process does: ask until it is so, and fail when it never is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

PATIENCE_SECONDS = 90.0
"""What a machine that does much else may take for anything that a test waits for."""
_PAUSE_SECONDS = 0.05


async def until(
    holds: Callable[[], Awaitable[bool]],
    *,
    seconds: float = PATIENCE_SECONDS,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Return once ``holds()`` does; raise ``TimeoutError`` if it does not within ``seconds``."""
    never = asyncio.Event()
    async with asyncio.timeout(seconds):
        while not await holds():
            with suppress(TimeoutError):
                await asyncio.wait_for(never.wait(), pause)


async def a_second_after(moment: float) -> None:
    """Return when a second has passed since ``moment`` of the monotonic clock.

    What is promised within a second holds for whatever begins from then on. How long after it an
    answer comes says more of the machine.
    """

    async def passed() -> bool:
        return time.monotonic() - moment > 1

    await until(passed)
