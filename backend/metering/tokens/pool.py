"""Where counting runs: inline when it is quick, else in threads of its own.

tiktoken, Hugging Face's ``tokenizers`` and mistral-common's tekken count in Rust with the
interpreter lock released, so threads run beside the event loop and beside one another; a pool of
processes would only add the copying. ``benchmarks/token_counting.py`` measures both claims.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from backend.metering.tokens.encodings import count_text, encoding

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

INLINE_CHARACTERS = 4_000
"""Up to so many characters a count takes half a millisecond at most: not worth a thread."""

# Its own threads, as many as there are cores: long texts wait for one another here, and delay
# neither the loop nor other work in threads.
_threads = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="tokens")


async def in_thread(
    function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run ``function`` in a counting thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, lambda: function(*args, **kwargs))


async def count_text_off_loop(name: str, text: str) -> int:
    """Count in a tiktoken encoding, in a thread if the text is long.

    Raises ``ConfigurationError`` as ``encoding`` does.
    """
    if len(text) <= INLINE_CHARACTERS and encoding.cache_info().currsize:
        return count_text(name, text)
    return await in_thread(count_text, name, text)
