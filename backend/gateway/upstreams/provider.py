"""The connections to the model providers behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

from backend.gateway.connections.pool import Answer, Connections
from backend.gateway.upstreams.addresses import headers
from backend.kit.tls import provider_tls_context
from backend.metering.tokens.encodings import letters_of
from backend.settings import Upstream

_UNANSWERED: Final = (httpx.HTTPError, RuntimeError, KeyError, ValueError, TypeError)
"""What a tokenizer's question may come to; a ``RuntimeError`` where the upstream was changed, and
its connections closed, while a call was counted."""


class Provider:
    """A connection pool to one upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.under_way = 0
        """How many calls it has now."""
        key = upstream.keys[0].get_secret_value() if upstream.keys else None
        connect = upstream.timeouts.connect_seconds
        tls = provider_tls_context()
        # What comes after the connection is timed by who reads it: keep-alives must not count
        self._connections = Connections(tls, connect_seconds=connect)
        self._http = httpx.AsyncClient(  # for a tokenizer's questions, which are rare
            base_url=upstream.base_url + "/",
            headers=headers(upstream, key),
            timeout=httpx.Timeout(upstream.timeouts.first_token_seconds, connect=connect),
            verify=tls,
            trust_env=False,
        )

    async def send(self, url: str, sent: Mapping[str, str], body: bytes) -> Answer:
        """Send a request with these headers. The caller reads and closes the answer.

        Raises httpx's errors; its time is bounded by ``asyncio.timeout`` alone.
        """
        return await self._connections.post(url, sent, body)

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()
        await self._http.aclose()

    async def tokenize(self, text: str) -> int | None:
        """Count a text's tokens by the provider's own ``/tokenize``; None if it has none."""
        try:
            answer = await self._http.post(self._beside("tokenize"), json={"content": text})
            return len(answer.raise_for_status().json()["tokens"])
        except _UNANSWERED:
            return None

    async def split_text(self, text: str) -> list[str] | None:
        """Return what each token of a text is, as llama.cpp's ``/tokenize`` says.

        None where the provider does not.
        """
        request = {"content": text, "with_pieces": True}
        try:
            answer = await self._http.post(self._beside("tokenize"), json=request)
            tokens = answer.raise_for_status().json()["tokens"]
            pieces = [token["piece"] for token in tokens]
        except _UNANSWERED:
            return None
        # A part of a character is written as its bytes
        parts = [bytes(piece) if isinstance(piece, list) else piece.encode() for piece in pieces]
        return letters_of(parts)

    async def prompt_text(self, messages: object, tools: object = None) -> str | None:
        """Return the prompt that the provider's chat template makes; None if it does not answer."""
        request = {"messages": messages} | ({} if tools is None else {"tools": tools})
        try:
            answer = await self._http.post(self._beside("apply-template"), json=request)
            prompt = answer.raise_for_status().json()["prompt"]
        except _UNANSWERED:
            return None
        return prompt if isinstance(prompt, str) else None

    def _beside(self, path: str) -> httpx.URL:
        """Return the address of a route of the server outside ``/v1``."""
        return self._http.base_url.join(f"../{path}")
