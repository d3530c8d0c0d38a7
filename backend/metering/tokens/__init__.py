"""Token counts by the model's own tokenizer: text, chats, tool definitions, images.

A catalog model's ``tokenizer`` setting names its tokenizer; ``registry.tokenizer_for`` makes it.
Counting runs off the event loop, and needs no network except a provider's own ``/tokenize``.
"""

from __future__ import annotations

from backend.metering.tokens.counts import TokenCount
from backend.metering.tokens.encodings import count_text, encoding
from backend.metering.tokens.pool import count_for, count_text_off_loop
from backend.metering.tokens.registry import check_setting, tokenizer_for
from backend.metering.tokens.tokenizer import RemoteTokenizer, Tokenizer

__all__ = [
    "RemoteTokenizer",
    "TokenCount",
    "Tokenizer",
    "check_setting",
    "count_for",
    "count_text",
    "count_text_off_loop",
    "encoding",
    "tokenizer_for",
]
