"""Routers that are asked only for paths that may be theirs.

FastAPI asks each router in turn, and that each of its routes: for the last of some sixty routers
that takes as long as two statements of SQL.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

_PARTS = 3
"""How much of a path is looked at: the empty part before its first slash, the version, the thing
that it is about."""


def include_narrowed(whole: APIRouter, router: APIRouter) -> None:
    """Include a router that is asked for paths alone that begin as one of its routes does.

    The beginning of a route has no parameter; raises ``ValueError`` for one that has.
    """
    beginnings = set()
    for route in router.routes:
        beginning = _beginning(route.path) if isinstance(route, Route) else "{"
        if "{" in beginning:
            raise ValueError(f"{route} begins with a parameter: its router can't be narrowed")
        beginnings.add(beginning)
    before = len(whole.routes)
    whole.include_router(router)
    for included in whole.routes[before:]:
        _narrow(included, frozenset(beginnings))


def _narrow(included: BaseRoute, beginnings: frozenset[str]) -> None:
    matches = included.matches

    def matches_if_it_may(scope: Scope) -> tuple[Match, Scope]:
        # Behind a path of a proxy's, the framework works out which part of it is the route's
        if not scope.get("root_path") and _beginning(scope["path"]) not in beginnings:
            return Match.NONE, {}
        return matches(scope)

    included.matches = matches_if_it_may  # type: ignore[method-assign]


def _beginning(path: str) -> str:
    return "/".join(path.split("/", _PARTS)[:_PARTS])
