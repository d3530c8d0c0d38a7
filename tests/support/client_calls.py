"""What each method of the client sends: found out by calling it, with nobody at the other end."""

from __future__ import annotations

import inspect
import types
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, cached_property
from typing import Any, Literal
from urllib.parse import unquote

import httpx
from pydantic import BaseModel

from backend_client import FareboxClient, Pager

SAMPLES: dict[Any, Any] = {
    bool: True,
    int: 7,
    bytes: b"",
    Decimal: Decimal(1),
    date: date(2026, 3, 1),
    datetime: datetime(2026, 3, 1, tzinfo=UTC),
}


class Sent(Exception):
    """Raised in the place of an answer, with what was sent."""

    def __init__(self, request: httpx.Request) -> None:
        super().__init__(f"{request.method} {request.url}")
        self.request = request


def refuse(request: httpx.Request) -> httpx.Response:
    """Answer nothing; say what came."""
    raise Sent(request)


@dataclass(frozen=True)
class Resource:
    """A resource of the client by the name that it is reached by, such as ``wallet.grants``."""

    name: str
    instance: Any

    @property
    def methods(self) -> list[Method]:
        """Its methods, in the order in which they are written."""
        functions = vars(type(self.instance)).items()
        return [
            Method(f"{self.name}.{name}", getattr(self.instance, name))
            for name, function in functions
            if inspect.isfunction(function) and not name.startswith("_")
        ]


@dataclass(frozen=True)
class Method:
    """A method of a resource by the name that it is called by, such as ``keys.create``."""

    name: str
    bound: Callable[..., Any]

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.bound).parameters

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        return typing.get_type_hints(self.bound)

    def sent(
        self, *, whole: bool = False, tenant: bool = False, given: Mapping[str, str] | None = None
    ) -> httpx.Request:
        """What it sends when it is called: with all that can be left out, or without.

        Ids stand in the path as ``{key_id}``, or as what is ``given`` for them. ``tenant`` says
        whether the operator names one.
        """
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                if whole:
                    named |= _members(self.hints[name])
            elif parameter.default is parameter.empty or (tenant if name == "tenant" else whole):
                value = (given or {}).get(name) or _sample(name, self.hints[name], parameter)
                if parameter.kind is parameter.KEYWORD_ONLY:
                    named[name] = value
                else:
                    positional.append(value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of models that lack their fields
            try:
                answer = self.bound(*positional, **named)
                if isinstance(answer, Pager):
                    answer.page()
                elif isinstance(answer, Iterator):
                    next(answer)
            except Sent as sent:
                return sent.request
        raise AssertionError(f"{self.name} sends nothing")

    @cached_property
    def routes(self) -> list[tuple[str, str]]:
        """The HTTP methods and paths that it calls: its own tenant's, and the operator's."""
        optional = self.parameters.get("tenant")
        both = [False, True] if optional is not None and optional.default is None else [False]
        return list(dict.fromkeys(route(self.sent(tenant=tenant)) for tenant in both))


def resources() -> list[Resource]:
    """All resources of the client, each before those that are reached by it."""
    client = FareboxClient("http://farebox.example", transport=httpx.MockTransport(refuse))
    return list(_resources(client, ""))


@cache
def methods() -> list[Method]:
    """All methods of all resources."""
    return [method for resource in resources() for method in resource.methods]


def route(request: httpx.Request) -> tuple[str, str]:
    """The method and the path of a request, its ids as they were given."""
    return request.method, unquote(request.url.raw_path.decode().partition("?")[0])


def _resources(instance: Any, prefix: str) -> Iterator[Resource]:
    for name, member in vars(instance).items():
        if not name.startswith("_"):
            yield Resource(prefix + name, member)
            yield from _resources(member, f"{prefix}{name}.")


def _members(hint: Any) -> dict[str, Any]:
    """Values for named arguments that a typed dictionary lists."""
    (kind,) = typing.get_args(hint) or (None,)
    hints = typing.get_type_hints(kind) if typing.is_typeddict(kind) else {}
    return {name: _sample(name, hint, None) for name, hint in hints.items()}


def _sample(name: str, hint: Any, parameter: inspect.Parameter | None) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
    required = parameter is not None and parameter.default is parameter.empty
    if hint is str or (hint is int and required):
        return f"{{{name}}}"  # what a path shows; an int in a path is written as a text too
    if hint in SAMPLES:
        return SAMPLES[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint.model_construct(id=f"{{{name}_id}}")
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    member = members[0]
    if origin is Literal:
        return member
    if origin is not None and issubclass(origin, Mapping):
        return {"name": "value"}
    if typing.get_origin(member) is Literal:
        return [_sample(name, member, None)]
    if member is str or (isinstance(member, type) and issubclass(member, Enum)):
        return [_sample(name, member, None)]
    if member is int:
        return [SAMPLES[int]]
    return []
