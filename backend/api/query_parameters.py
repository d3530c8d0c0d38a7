"""No question is answered as if a part of it had not been asked: unknown parameters are refused."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from backend.api.errors import UnknownQueryParameter
from backend.gateway.protocols.routes import shape_of
from backend_client.types.problems import FieldError

_SHOWN = 100  # letters of a name that somebody else chose


async def refuse_unknown_parameters(request: Request) -> None:
    """Raise ``UnknownQueryParameter`` if the query has a name that the route does not declare.

    A misspelt ``?tenent=`` would otherwise be answered for all tenants. Routes of OpenAI's and
    Anthropic's protocols take any, as those do: clients and proxies add their own, such as
    ``api-version`` and ``beta``.
    """
    path: str = request.url.path
    if not request.scope["query_string"] or shape_of(path) or "/v1/" not in path:
        return
    declared = list(_declared(request.scope["route"]))
    unknown = [name for name in request.query_params if name not in declared]
    if unknown:
        raise UnknownQueryParameter(
            " ".join(_sentence(name, declared) for name in unknown),
            errors=[FieldError(field=name, detail="is no parameter here") for name in unknown],
        )


def _declared(route: APIRoute) -> Iterator[str]:
    """The names of the route's query parameters, those of what it depends on included."""
    for parameter in get_flat_params(route.dependant):
        if isinstance(parameter.field_info, params.Query):
            yield parameter.alias


def _sentence(name: str, declared: list[str]) -> str:
    sentence = f"There is no query parameter {name[:_SHOWN]!r} here"
    close = get_close_matches(name, declared, n=1)
    if close:
        return f"{sentence}; {close[0]!r} may be meant."
    if declared:
        return f"{sentence}, only {', '.join(declared)}."
    return f"{sentence}: this route takes none."
