"""The model providers behind the gateway: OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from backend.kit.tls import provider_tls_context
from backend.settings import Upstream

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=200)


class Provider:
    """A connection pool to one upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        key = upstream.api_key
        credential = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        timeout = httpx.Timeout(upstream.timeout_seconds, connect=10)
        # Calls go through the transport directly: a client's redirects, cookies and merging of
        # defaults are of no use to them, and take a third of the time.
        self._transport = httpx.AsyncHTTPTransport(
            verify=provider_tls_context(), limits=_LIMITS, trust_env=False
        )
        self._http = httpx.AsyncClient(
            base_url=upstream.base_url.rstrip("/") + "/",
            headers=credential,
            timeout=timeout,
            transport=self._transport,
            trust_env=False,
        )
        self._completions = self._http.base_url.join("chat/completions")
        self._headers = httpx.Headers({**credential, "content-type": "application/json"})
        self._extensions = {"timeout": timeout.as_dict()}

    async def complete(self, body: bytes) -> httpx.Response:
        """Request a chat completion. The caller reads the response and closes it.

        Raises httpx's errors.
        """
        request = httpx.Request(
            "POST",
            self._completions,
            headers=self._headers,
            content=body,
            extensions=self._extensions,
        )
        return await self._transport.handle_async_request(request)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def tokenize(self, text: str) -> int | None:
        """Count a text's tokens by the provider's own ``/tokenize``; None if it has none."""
        try:
            answer = await self._http.post(self._beside("tokenize"), json={"content": text})
            return len(answer.raise_for_status().json()["tokens"])
        except (httpx.HTTPError, KeyError, ValueError, TypeError):
            return None

    async def prompt_text(self, messages: object, tools: object = None) -> str | None:
        """Return the prompt that the provider's chat template makes; None if it does not answer."""
        request = {"messages": messages} | ({} if tools is None else {"tools": tools})
        try:
            answer = await self._http.post(self._beside("apply-template"), json=request)
            prompt = answer.raise_for_status().json()["prompt"]
        except (httpx.HTTPError, KeyError, ValueError, TypeError):
            return None
        return prompt if isinstance(prompt, str) else None

    def _beside(self, path: str) -> httpx.URL:
        """Return the address of a route of the server outside ``/v1``."""
        return self._http.base_url.join(f"../{path}")


class Upstreams:
    """Finds the provider that serves a model; of several, the first configured."""

    def __init__(self, configured: Sequence[Upstream]) -> None:
        self._providers = [Provider(upstream) for upstream in configured]

    def serving(self, model: str) -> tuple[Provider, str] | None:
        """Return the provider of a model and its own name for it."""
        for provider in self._providers:
            if model in provider.upstream.models:
                return provider, provider.upstream.models[model]
        return None

    async def close(self) -> None:
        """Close every connection."""
        for provider in self._providers:
            await provider.close()
