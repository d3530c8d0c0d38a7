"""Rerank, as Cohere, Jina, vLLM and others serve it: documents in the order of a question.

https://docs.cohere.com/reference/rerank, https://jina.ai/reranker
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from backend.gateway.protocols.parts.base import Asked, Document
from backend.gateway.protocols.parts.requests import (
    read_request,
    uncounted_bytes,
    wrong,
)
from backend.gateway.protocols.whole import WholeOnly
from backend.gateway.usage import Usage, read_usage

_MOST_DOCUMENTS: Final = 10_000
_DOCUMENTS_OF_A_SEARCH: Final = 100
"""Cohere counts one search for each hundred documents that have begun."""


class Rerank(WholeOnly):
    """Rerank: searches where the provider counts them, tokens where it reports them."""

    name = "rerank"
    path = "rerank"
    answers_by = "results"

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        query, documents = request.get("query"), request.get("documents")
        if not isinstance(query, str) or not query:
            raise wrong("query", "must be a text")
        if not isinstance(documents, list) or not 0 < len(documents) <= _MOST_DOCUMENTS:
            raise wrong("documents", f"must be an array of 1 to {_MOST_DOCUMENTS:,} documents")
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=False,
            texts=[],
            answers=0,
            prompts=len(documents),
            units={"searches": -(-len(documents) // _DOCUMENTS_OF_A_SEARCH)},
            # The question is read anew with each document
            uncounted_bytes=uncounted_bytes(request, counted=("model",))
            + len(query.encode()) * len(documents),
        )

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report: Cohere's of searches, others' of tokens."""
        reported = read_usage(document.get("usage")) or Usage(0, 0)
        meta = document.get("meta")
        billed = meta.get("billed_units") if isinstance(meta, dict) else None
        searches = billed.get("search_units") if isinstance(billed, dict) else None
        if isinstance(searches, int | float) and searches > 0:
            return replace(reported, searches=int(searches))
        return reported


RERANK: Final = Rerank()
