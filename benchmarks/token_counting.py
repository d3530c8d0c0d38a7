"""Counting tokens against bare tiktoken: what the registry, the chat format and threads cost.

``python -m benchmarks.token_counting`` prints a table of ratios; it needs no engine and no network.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable

from backend.metering.tokens import encoding, tokenizer_for
from backend.metering.tokens.pool import INLINE_CHARACTERS

ROUNDS = 15
PIECE = 4_000
SAMPLE = (
    "Counting is what a bill rests on: 1,234,567 tokens at $0.15 a million.\n"
    "def total(tokens: int) -> Decimal:\n    return PRICE * tokens / 1_000_000\n"
    "Die Rechnung wäre sonst geraten; 数えることは請求の基礎です。 Счёт дружбы не портит 🙂\n"
    '{"model": "sample-large", "usage": {"prompt_tokens": 31, "completion_tokens": 7}}\n'
)


async def seconds_of(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds that it takes once."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def against(
    work: Callable[[], Awaitable[object]], bare: Callable[[], Awaitable[object]]
) -> tuple[float, float]:
    """Median seconds, and the median of the ratios to ``bare``.

    The two take turns, so that what else the machine does meanwhile slows both alike.
    """
    await work()
    rounds = [(await seconds_of(bare), await seconds_of(work)) for _ in range(ROUNDS)]
    return (
        statistics.median(own for _, own in rounds),
        statistics.median(own / other for other, own in rounds),
    )


async def longest_hold(work: Awaitable[object]) -> float:
    """The longest time that the event loop was held while ``work`` went on."""
    loop = asyncio.get_running_loop()
    longest, last, done = 0.0, time.perf_counter(), False

    def turn() -> None:
        nonlocal longest, last
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        if not done:
            loop.call_later(0.0005, turn)

    turn()
    await work
    done = True
    return longest - 0.0005


async def main() -> None:
    """Measure and print."""
    text = SAMPLE * (1_000_000 // len(SAMPLE))
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    chats = [[{"role": "user", "content": piece}] for piece in pieces]
    bare = encoding("o200k_base")
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="gpt-4o")
    mistral = tokenizer_for("mistral:v3-tekken", model="open-mistral-nemo")

    async def bare_pieces() -> int:
        return sum(len(bare.encode_ordinary(piece)) for piece in pieces)

    async def bare_whole() -> int:
        return len(bare.encode_ordinary(text))

    async def bare_twice() -> int:
        return sum(len(bare.encode_ordinary(text)) for _ in range(2))

    async def our_pieces() -> int:
        return sum([await tokenizer.count_text(piece) for piece in pieces])

    async def our_chats() -> int:
        return sum([(await tokenizer.count_chat(chat)).total for chat in chats])

    async def our_whole() -> int:
        return await tokenizer.count_text(text)

    async def our_two_at_once() -> object:
        return await asyncio.gather(tokenizer.count_text(text), tokenizer.count_text(text))

    async def bare_two_threads() -> object:
        threads = [threading.Thread(target=bare.encode_ordinary, args=(text,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        return [thread.join() for thread in threads]

    async def mistral_chats() -> int:
        return sum([(await mistral.count_chat(chat)).total for chat in chats])

    assert await our_pieces() == await bare_pieces()
    assert await our_whole() == await bare_whole()
    print(
        f"{len(text):,} characters, {await bare_whole():,} tokens; pieces of {PIECE:,}; "
        f"{os.cpu_count()} cores; up to {INLINE_CHARACTERS:,} characters inline\n"
    )
    print("| what | ms | against bare tiktoken, taking turns |\n|---|---|---|")
    for name, work, bare_work in (
        ("count_text, pieces", our_pieces, bare_pieces),
        ("count_chat, a chat a piece", our_chats, bare_pieces),
        ("count_text, whole, in a thread", our_whole, bare_whole),
        ("bare tiktoken, twice in two threads", bare_two_threads, bare_twice),
        ("count_text, twice at once", our_two_at_once, bare_twice),
        ("mistral count_chat, a chat a piece", mistral_chats, bare_pieces),
    ):
        seconds, ratio = await against(work, bare_work)
        print(f"| {name} | {seconds * 1000:.1f} | {ratio:.2f} |")
    held = await longest_hold(our_two_at_once())
    print(f"\nLongest hold of the event loop while two whole counts ran: {held * 1000:.1f} ms")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
