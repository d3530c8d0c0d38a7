"""Token counts by the model's own tokenizer, without a network for tiktoken's encodings."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

import tiktoken

_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
"""Where tiktoken would fetch an encoding; it looks for a file named by this address's SHA-1."""
PACKAGED = ("cl100k_base", "o200k_base")
_OFF_THE_LOOP = 20_000  # characters: about 5 ms of counting


@cache
def encoding(name: str) -> tiktoken.Encoding:
    """Return a tiktoken encoding, built from the rank file that a package carries.

    tiktoken checks the file's SHA-256 itself. Raises ``ValueError`` for an unknown name.
    """
    if name not in PACKAGED:
        return tiktoken.get_encoding(name)
    packed = files("bpe_openai") / "data" / f"{name}.tiktoken.gz"
    key = hashlib.sha1(_ADDRESS.format(name=name).encode(), usedforsecurity=False).hexdigest()
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, key).write_bytes(gzip.decompress(packed.read_bytes()))
        os.environ["TIKTOKEN_CACHE_DIR"] = directory
        try:
            return tiktoken.get_encoding(name)
        finally:
            if before is None:
                del os.environ["TIKTOKEN_CACHE_DIR"]
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = before


def count_text(name: str, text: str) -> int:
    """Count a text's tokens in a tiktoken encoding; special tokens' names are plain text."""
    return len(encoding(name).encode_ordinary(text))


async def count_text_off_loop(name: str, text: str) -> int:
    """Count, in a thread if the text is long."""
    if len(text) < _OFF_THE_LOOP:
        return count_text(name, text)
    return await asyncio.to_thread(count_text, name, text)
