"""The OpenAPI document, with what FastAPI does not derive."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from backend.api.causes import causes
from backend.api.problems import MEDIA_TYPE


class DescribedApi(FastAPI):
    """FastAPI, whose document gives errors their media type, and lists their codes."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, built once."""
        built = self.openapi_schema is not None
        document = super().openapi()
        if not built:
            for item in document["paths"].values():
                for operation in item.values():
                    _describe_problem(operation["responses"].get("default", {}))
            # Not an ``enum``: a client that is older than a code should still read the problem
            code = document["components"]["schemas"]["Problem"]["properties"]["code"]
            code["x-extensible-enum"] = [cause.code for cause in causes()]
        return document


def _describe_problem(response: dict[str, Any]) -> None:
    # FastAPI puts a model's schema under application/json, and gives the other type none.
    content = response.get("content", {})
    if MEDIA_TYPE in content:
        content[MEDIA_TYPE] = content.pop("application/json")
