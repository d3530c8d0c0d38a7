"""Which web pages a list of origins means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from backend_client.types.web_origins import ANY_PAGE

_WILDCARD: Final = "*"
_HOST: Final = re.compile(r"[a-z0-9_.-]+")


def is_of(page: str, origins: Iterable[str]) -> bool:
    """Return whether a page's origin, as its browser says it, is one of these.

    A page without an origin of its own, whose browser says ``null``, is of those for any page.
    """
    page = page.lower()
    return any(_matches(page, allowed) for allowed in origins)


def _matches(page: str, allowed: str) -> bool:
    if allowed in (ANY_PAGE, page):
        return True
    scheme, wildcard, domain = allowed.partition(_WILDCARD)
    if not wildcard or not (page.startswith(scheme) and page.endswith(domain)):
        return False
    below = page[len(scheme) : -len(domain)]
    return _HOST.fullmatch(below) is not None and not below.startswith(".")
