"""Web origins (RFC 6454): of pages that an API key is taken from."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

ANY_PAGE: Final = "*"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 300
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ORIGIN: Final = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]{{0,31}})://(?P<wildcard>\*\.)?"
    rf"(?:(?P<name>{_LABEL}(?:\.{_LABEL})*)|\[(?P<six>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?"
)


def _web_origin(value: str) -> str:
    if value == ANY_PAGE:
        return value
    written = _as_browsers_write(value)
    if written is None:
        raise PydanticCustomError(
            "web_origin",
            "Is no origin of web pages, such as https://app.example.com, "
            "https://*.example.com or * for any",
        )
    return written


def _as_browsers_write(value: str) -> str | None:
    """Return an origin as the header ``Origin`` has it; None if it is none.

    A slash at the end, capitals, letters that DNS encodes and the scheme's own port are taken.
    """
    scheme, colon, rest = value.strip().removesuffix("/").partition("://")
    if not colon or len(value) > _LONGEST:
        return None
    try:
        host = rest if rest.isascii() else rest.encode("idna").decode()
    except UnicodeError:
        return None
    parts = _ORIGIN.fullmatch(f"{scheme}://{host}".lower())
    if parts is None:
        return None
    scheme, name, six, port = parts["scheme"], parts["name"], parts["six"], parts["port"]
    if parts["wildcard"] and (six or "." not in name):
        return None  # of all hosts below a top-level domain, or of no name
    if six:
        try:
            name = f"[{IPv6Address(six).compressed}]"
        except ValueError:
            return None
    number = int(port) if port else _DEFAULT_PORTS.get(scheme)
    if number is not None and not 0 < number < 65536:
        return None
    shown = "" if number == _DEFAULT_PORTS.get(scheme) else f":{number}"
    return f"{scheme}://{parts['wildcard'] or ''}{name}{shown}"


WebOrigin = Annotated[str, AfterValidator(_web_origin)]
"""As ``https://app.example.com``, ``https://*.example.com`` for all hosts below a name, or ``*``
for any page. Other schemes are those of apps and extensions, such as ``chrome-extension://…``."""

WebOrigins = Annotated[list[WebOrigin], Field(min_length=1, max_length=50)]
