"""OpenAI's embeddings.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from typing import Final

from backend.gateway.protocols.parts.base import Asked, Document
from backend.gateway.protocols.parts.plain_inputs import read_inputs
from backend.gateway.protocols.parts.requests import (
    read_request,
    uncounted_bytes,
)
from backend.gateway.protocols.whole import WholeOnly
from backend.gateway.usage import Usage, read_usage


class Embeddings(WholeOnly):
    """Embeddings: all that is billed is read, nothing is made."""

    name = "embeddings"
    path = "embeddings"
    answers_by = "data"

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        texts, tokens, inputs = read_inputs(request, "input")
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=False,
            texts=texts or [],
            token_inputs=tokens,
            answers=0,
            prompts=inputs,
            uncounted_bytes=uncounted_bytes(
                request, counted=("model",) if texts is None else ("model", "input")
            ),
        )

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report."""
        return read_usage(document.get("usage"))


EMBEDDINGS: Final = Embeddings()
