"""Every cause that the API can answer with, for its OpenAPI document and ``docs/errors.md``."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import backend
from backend.errors import CommandError, FareboxError


def causes() -> list[type[FareboxError]]:
    """Return the causes of all rooms, by status and code."""
    answered = (
        cause
        for module in _modules()
        for cause in vars(import_module(module)).values()
        if isinstance(cause, type)
        and issubclass(cause, FareboxError)
        and cause.__module__ == module
        and "code" in vars(cause)
        and not issubclass(cause, CommandError)
    )
    return sorted(answered, key=lambda cause: (cause.status, cause.code))


def _modules() -> Iterator[str]:
    """Yield the ``errors`` of each room; a room without any has none."""
    yield "backend.errors"
    for room in pkgutil.iter_modules(backend.__path__, "backend."):
        if room.ispkg and find_spec(f"{room.name}.errors"):
            yield f"{room.name}.errors"
