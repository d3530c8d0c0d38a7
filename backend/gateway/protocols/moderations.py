"""OpenAI's moderations.

https://platform.openai.com/docs/api-reference/moderations
"""

from __future__ import annotations

from typing import Final

from backend.gateway.protocols.parts.base import Asked, Document
from backend.gateway.protocols.parts.requests import (
    read_request,
    uncounted_bytes,
    wrong,
)
from backend.gateway.protocols.whole import WholeOnly
from backend.gateway.usage import Usage, read_usage


class Moderations(WholeOnly):
    """Moderations, which most providers give for nothing: a request, and tokens if reported."""

    name = "moderations"
    path = "moderations"
    answers_by = "results"

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        given = request.get("input")
        if not isinstance(given, str | list) or not given:
            raise wrong("input", "must be a text, or an array of texts and pictures")
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=False,
            texts=[],
            answers=0,
            prompts=len(given) if isinstance(given, list) else 1,
            uncounted_bytes=uncounted_bytes(request, counted=("model",)),
        )

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report; most have none."""
        return read_usage(document.get("usage")) or Usage(0, 0)


MODERATIONS: Final = Moderations()
