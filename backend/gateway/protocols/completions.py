"""OpenAI's completions, which came before chats and which many servers still have.

https://platform.openai.com/docs/api-reference/completions
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from backend.gateway.protocols.chat import ChatCompletions
from backend.gateway.protocols.parts.base import Asked, Document, Forwarding
from backend.gateway.protocols.parts.plain_inputs import read_inputs
from backend.gateway.protocols.parts.requests import (
    read_limit,
    read_request,
    uncounted_bytes,
    wrong,
)
from backend_client.types.upstreams import OUTPUT_LIMITS

_MOST_ANSWERS: Final = 128
_OTHER_LIMITS: Final = OUTPUT_LIMITS - {"max_tokens"}


class Completions(ChatCompletions):
    """Completions: a chunk and an answer differ from a chat's in their choices alone."""

    name = "completions"
    path = "completions"

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        texts, tokens, inputs = read_inputs(request, "prompt")
        if not isinstance(request.get("stream_options", {}), dict | None):
            raise wrong("stream_options", "must be an object")
        # All of ``best_of`` are made and billed
        answers = max(
            read_limit(request, name, most=_MOST_ANSWERS) or 1 for name in ("n", "best_of")
        )
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=parsed.stream,
            texts=texts or [],
            token_inputs=tokens,
            answers=answers,
            output_limit=read_limit(request, "max_tokens"),
            prompts=inputs,
            uncounted_bytes=uncounted_bytes(
                request, counted=("model",) if texts is None else ("model", "prompt")
            ),
        )

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        if to.output_cap is not None:
            # Limits by other names than ``max_tokens``, by which the call was bounded
            document = {
                name: value for name, value in asked.document.items() if name not in _OTHER_LIMITS
            }
            asked = replace(asked, document=document)
        return super().forward(asked, replace(to, output_limit="max_tokens"))


COMPLETIONS: Final = Completions()
