"""Counting tokens against bare tiktoken: what the registry, the chat format and threads cost.

``python -m benchmarks.token_counting`` prints a table of ratios; it needs no engine and no network.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable

from backend.metering.tokens import encoding, tokenizer_for
from backend.metering.tokens.pool import INLINE_CHARACTERS

ROUNDS = 7
PIECE = 4_000
SAMPLE = (
    "Counting is what a bill rests on: 1,234,567 tokens at $0.15 a million.\n"
    "def total(tokens: int) -> Decimal:\n    return PRICE * tokens / 1_000_000\n"
    "Die Rechnung wäre sonst geraten; 数えることは請求の基礎です。 Счёт дружбы не портит 🙂\n"
    '{"model": "sample-large", "usage": {"prompt_tokens": 31, "completion_tokens": 7}}\n'
)


async def best(work: Callable[[], Awaitable[object]]) -> float:
    """Median seconds of some rounds, after one to warm up."""
    await work()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


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
    pieces_s, whole_s = await best(bare_pieces), await best(bare_whole)
    print(
        f"{len(text):,} characters, {await bare_whole():,} tokens; pieces of {PIECE:,}; "
        f"{os.cpu_count()} cores; up to {INLINE_CHARACTERS:,} characters inline\n"
    )
    print("| what | ms | against bare tiktoken |\n|---|---|---|")
    for name, seconds, against in (
        ("bare tiktoken, pieces", pieces_s, pieces_s),
        ("count_text, pieces", await best(our_pieces), pieces_s),
        ("count_chat, a chat a piece", await best(our_chats), pieces_s),
        ("bare tiktoken, whole", whole_s, whole_s),
        ("count_text, whole, in a thread", await best(our_whole), whole_s),
        ("bare tiktoken, whole twice, two threads", await best(bare_two_threads), 2 * whole_s),
        ("count_text, whole twice at once", await best(our_two_at_once), 2 * whole_s),
        ("mistral count_chat, a chat a piece", await best(mistral_chats), pieces_s),
    ):
        print(f"| {name} | {seconds * 1000:.1f} | {seconds / against:.2f} |")
    held = await longest_hold(our_two_at_once())
    print(f"\nLongest hold of the event loop while two whole counts ran: {held * 1000:.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
