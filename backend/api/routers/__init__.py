"""One router a noun, in a file of its own. A new file is served without being listed.

Owns nothing: a router parses, authorizes, calls a room and answers.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from fastapi import APIRouter


def every_router() -> Iterator[APIRouter]:
    """Yield the ``router`` of each module here, by the modules' names."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        router: APIRouter = import_module(module.name).router
        yield router
