"""From a catalog model's ``tokenizer`` setting to its tokenizer.

``tiktoken:<encoding>``, ``mistral:<version or path>``, ``file:<path to tokenizer.json>``, or
``upstream``: the provider's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from backend.errors import ConfigurationError
from backend.metering.tokens.pool import INLINE_CHARACTERS
from backend.metering.tokens.tokenizer import (
    Counter,
    LocalTokenizer,
    RemoteTokenizer,
    Tokenizer,
    UpstreamTokenizer,
)

_MOST = 256
"""Cached tokenizers: one for each model of a large catalog."""


def tokenizer_for(setting: str, *, model: str, remote: RemoteTokenizer | None = None) -> Tokenizer:
    """Return the tokenizer that ``setting`` names; nothing is loaded until it counts.

    ``model`` is the provider's name for the model, which decides how pictures count; ``remote``
    is asked if the setting is ``upstream``. Raises ``ConfigurationError`` for a setting that
    names no tokenizer.
    """
    check_setting(setting)
    if setting == "upstream":
        return UpstreamTokenizer(setting, model, remote)
    return _local(setting, model)


def check_setting(setting: str) -> None:
    """Raise ``ConfigurationError``, listing the choices, unless ``setting`` names a tokenizer."""
    scheme, _, name = setting.partition(":")
    if setting == "upstream" or (scheme in _SCHEMES and name):
        return
    raise ConfigurationError(
        f"The tokenizer {setting!r} is not one of tiktoken:<encoding>, mistral:<version>, "
        "file:<path to tokenizer.json> and upstream."
    )


@lru_cache(maxsize=_MOST)
def _local(setting: str, model: str) -> LocalTokenizer:
    scheme, _, name = setting.partition(":")
    make = _SCHEMES[scheme]
    return LocalTokenizer(
        setting, lambda: make(name, model), inline_characters=_INLINE_CHARACTERS[scheme]
    )


_INLINE_CHARACTERS = {
    "tiktoken": INLINE_CHARACTERS,
    "file": INLINE_CHARACTERS // 4,
    "mistral": INLINE_CHARACTERS // 8,
}
"""By their speed relative to tiktoken, as ``benchmarks/token_counting.py`` measures."""

# Each imports its library when it is first used, since that takes most of a second.


def _tiktoken(name: str, model: str) -> Counter:
    from backend.metering.tokens.local import TiktokenCounter

    return TiktokenCounter(name, model)


def _mistral(name: str, model: str) -> Counter:
    return _mistral_version(name)


@lru_cache(maxsize=8)
def _mistral_version(name: str) -> Counter:
    from backend.metering.tokens.mistral import MistralCounter

    return MistralCounter(name)


def _file(name: str, model: str) -> Counter:
    from backend.metering.tokens.local import FileCounter

    return FileCounter(Path(name), model)


_SCHEMES: dict[str, Callable[[str, str], Counter]] = {
    "tiktoken": _tiktoken,
    "mistral": _mistral,
    "file": _file,
}
