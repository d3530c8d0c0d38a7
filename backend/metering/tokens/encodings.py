"""tiktoken's encodings, from rank files that a package carries: no network at run time."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import tiktoken

from backend.errors import ConfigurationError
from backend.metering.tokens.turns import give_way

_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
"""Where tiktoken would fetch a rank file; it looks for a file named by this address's SHA-1."""
_RANK_FILES = {
    "cl100k_base": "cl100k_base",
    "o200k_base": "o200k_base",
    "o200k_harmony": "o200k_base",
    "p50k_base": "p50k_base",
    "p50k_edit": "p50k_base",
    "r50k_base": "r50k_base",
}
"""The file of ranks that each encoding is built from."""
PACKAGED = frozenset({"cl100k_base", "o200k_base"})
"""Rank files that ``bpe-openai`` carries. Others are read from ``TIKTOKEN_CACHE_DIR`` if there."""
_CACHE = "TIKTOKEN_CACHE_DIR"
LONGEST_PIECE = 50_000
"""Characters: a twentieth of the length at which tiktoken fails, and some 0.1 s at the worst."""
_NEAR = 2_000
_BETWEEN_WORDS = re.compile(r"(?<=[A-Za-z]) (?=[A-Za-z])")
_building = threading.Lock()  # tiktoken takes its directory from the environment, which is shared


@cache
def encoding(name: str) -> tiktoken.Encoding:
    """Return a tiktoken encoding; tiktoken checks its rank file's SHA-256 itself.

    Raises ``ConfigurationError`` for an unknown name, or one whose rank file is missing.
    """
    ranks = _RANK_FILES.get(name)
    if ranks is None:
        names = ", ".join(sorted(_RANK_FILES))
        raise ConfigurationError(f"There is no tiktoken encoding {name!r}; there are {names}.")
    key = hashlib.sha1(_ADDRESS.format(name=ranks).encode(), usedforsecurity=False).hexdigest()
    if ranks not in PACKAGED:
        if not Path(os.environ.get(_CACHE, ""), key).is_file() or not os.environ.get(_CACHE):
            raise ConfigurationError(
                f"The rank file of tiktoken's {name} is not packaged. Put it into a directory as "
                f"{key} and set {_CACHE} to that directory."
            )
        return tiktoken.get_encoding(name)
    packed = _packaged(ranks)
    with _building, tempfile.TemporaryDirectory() as directory:
        before = os.environ.get(_CACHE)
        Path(directory, key).write_bytes(gzip.decompress(packed.read_bytes()))
        os.environ[_CACHE] = directory
        try:
            return tiktoken.get_encoding(name)
        finally:
            if before is None:
                del os.environ[_CACHE]
            else:
                os.environ[_CACHE] = before


def _packaged(ranks: str) -> Path:
    # Located, not imported: importing the package loads all its encodings.
    spec = find_spec("bpe_openai")
    for folder in (spec.submodule_search_locations if spec else None) or []:
        return Path(folder, "data", f"{ranks}.tiktoken.gz")
    raise ConfigurationError("The package bpe-openai is not installed. Run `make up`.")


def pieces(text: str) -> Iterator[str]:
    """Divide a text that is too long for a tokenizer to be reliable.

    The expressions that find words are matched by backtracking, and fail within a million blanks:
    tiktoken panics then. Divided between two words, where a token ends anyway, a text has the same
    count; where there are no words, a cut may cost a token. Between two pieces another tenant's
    count may have its turn.
    """
    start = 0
    while len(text) - start > LONGEST_PIECE:
        end = start + LONGEST_PIECE
        near = [match.start() for match in _BETWEEN_WORDS.finditer(text, end - _NEAR, end)]
        end = near[-1] if near else end
        yield text[start:end]
        give_way()
        start = end
    yield text[start:]


def count_text(name: str, text: str) -> int:
    """Count a text's tokens in a tiktoken encoding; special tokens' names are plain text."""
    encode = encoding(name).encode_ordinary
    return sum(len(encode(piece)) for piece in pieces(text))


def between(text: str, starts: Sequence[int]) -> list[str]:
    """Cut a text where its tokens start; the first token has what stands before it too."""
    cuts = [0, *starts[1:], len(text)]
    return [text[start : max(start, end)] for start, end in pairwise(cuts)] if starts else []


def letters_of(parts: Iterable[bytes]) -> list[str]:
    """Read tokens' bytes as text; a character of several has its letter with the last of them."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return [decoder.decode(part) for part in parts]
