"""OpenAI's images: pictures made from a text.

https://platform.openai.com/docs/api-reference/images/create
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from backend.gateway.protocols.base import Asked, Document
from backend.gateway.protocols.requests import (
    read_limit,
    read_request,
    uncounted_bytes,
    wrong,
)
from backend.gateway.protocols.whole import WholeOnly
from backend.gateway.usage import OPENAI_IMAGES, Usage, read_usage

_MOST_IMAGES: Final = 10


class Images(WholeOnly):
    """Pictures, which count by themselves beside the tokens that some providers report of them."""

    name = "images"
    path = "images/generations"
    answers_by = "data"

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        came = read_request(body)
        request = came.document
        prompt = request.get("prompt")
        if not isinstance(prompt, str) or not prompt:
            raise wrong("prompt", "must be a text")
        if came.stream:
            raise wrong("stream", "must be false: pictures are not streamed here")
        images = read_limit(request, "n", most=_MOST_IMAGES) or 1
        return Asked(
            protocol=self,
            document=request,
            model=came.model,
            stream=False,
            texts=[prompt],
            answers=images,
            output_meter="image_output_tokens",
            units={"images": images},
            uncounted_bytes=uncounted_bytes(request, counted=("model", "prompt")),
        )

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report of tokens, none if it has none, and how many pictures."""
        reported = read_usage(document.get("usage"), OPENAI_IMAGES) or Usage(0, 0)
        return replace(reported, images=len(document["data"]))


IMAGES: Final = Images()
