"""Where counting runs: inline when it is quick, else in threads that take turns by tenant.

tiktoken, Hugging Face's ``tokenizers`` and mistral-common's tekken count in Rust with the
interpreter lock released, so threads run beside the event loop and beside one another; a pool of
processes would only add the copying. ``benchmarks/token_counting.py`` measures both claims.

One tenant has one long count at a time in a process, and after each piece of a text another's goes
on: so a short count waits for a piece or two, whatever else is to be counted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final, ParamSpec, TypeVar

from backend.metering.tokens.encodings import count_text, encoding
from backend.metering.tokens.turns import Turns

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

INLINE_CHARACTERS = 4_000
"""Up to so many characters a count takes half a millisecond at most: not worth a thread."""
_MOST_THREADS: Final = 256
"""So many tenants count long texts at once; all but a few of the threads wait for their turn."""

_threads: Final = ThreadPoolExecutor(max_workers=_MOST_THREADS, thread_name_prefix="tokens")
_turns: Final = Turns(os.cpu_count() or 1)
_tenant: Final[ContextVar[str]] = ContextVar("counting_tenant", default="")
_under_way: Final[dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[Any]]] = {}
"""The last count of each tenant that counts."""


def count_for(tenant_id: str) -> None:
    """Count for a tenant from here on: in this task and those that it begins."""
    _tenant.set(tenant_id)


async def in_thread(
    function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run ``function`` in a counting thread, after what the tenant has counted there now.

    A count goes on when its caller is cancelled, and the tenant's next one waits for it.
    """
    place = (asyncio.get_running_loop(), _tenant.get())

    def run() -> Result:
        with _turns.turn():
            return function(*args, **kwargs)

    async def after(earlier: asyncio.Task[Any] | None) -> Result:
        if earlier is not None:
            await asyncio.wait({earlier})
        return await place[0].run_in_executor(_threads, run)

    counting = asyncio.create_task(after(_under_way.get(place)))
    _under_way[place] = counting

    def forget(_: object) -> None:
        if _under_way.get(place) is counting:
            del _under_way[place]
        if not counting.cancelled():
            counting.exception()  # whoever waited has it; nobody may have

    counting.add_done_callback(forget)
    return await asyncio.shield(counting)


async def load_in_thread(load: Callable[[], Result]) -> Result:
    """Load a tokenizer in a thread: no tenant's work, and nobody's turn."""
    return await asyncio.get_running_loop().run_in_executor(_threads, load)


async def count_text_off_loop(name: str, text: str) -> int:
    """Count in a tiktoken encoding, in a thread if the text is long.

    Raises ``ConfigurationError`` as ``encoding`` does.
    """
    if len(text) <= INLINE_CHARACTERS and encoding.cache_info().currsize:
        return count_text(name, text)
    return await in_thread(count_text, name, text)
