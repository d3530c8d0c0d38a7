"""Chat completions, and what they count."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import date
from typing import Any

from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import JSON, Call, get, nothing, path, send
from backend_client.errors import Unavailable
from backend_client.queries import query
from backend_client.streams import DONE, chunk_of, event_data
from backend_client.types.drift import DriftReport
from backend_client.types.tokens import TokenCountRequest, TokenCountResult


class AsyncChatResource(AsyncResource):
    """Metered calls of models, in OpenAI's protocol."""

    async def stream(self, **request: object) -> AsyncGenerator[dict[str, Any], None]:
        """Stream a chat completion: OpenAI's request, and its chunks as they come.

        Close the iterator to stop; what was generated until then is billed. Raises
        ``Unavailable`` if the answer breaks off.
        """
        content = json.dumps({**request, "stream": True}, allow_nan=False).encode()
        at = path("chat", "completions")
        call = Call("POST", at, nothing, headers=JSON, content=content)
        whole = False
        async with self._sender.stream(call, self._sender.profile.stream_timeout) as response:
            async for line in response.aiter_lines():
                data = event_data(line)
                whole = whole or data == DONE
                if data is not None and not whole:
                    yield chunk_of(data, response)
        if not whole:
            raise Unavailable("The answer broke off.", response=response)


class AsyncTokensResource(AsyncResource):
    """Counting tokens."""

    async def count(self, text: TokenCountRequest) -> TokenCountResult:
        """Count what a chat or a text costs, without asking the model."""
        at = path("tokens", "count")
        return await self._sender.send(send("POST", at, text, TokenCountResult, repeatable=True))


class AsyncDriftResource(AsyncResource):
    """What providers reported against Farebox's own counts; for the operator."""

    async def report(
        self,
        *,
        start: date | None = None,
        end: date | None = None,
        model: Sequence[str] = (),
    ) -> DriftReport:
        """Compare reported and own counts of tokens, by day and model."""
        params = query(start=start, end=end, model=model)
        return await self._sender.send(get(path("drift"), DriftReport, params))
