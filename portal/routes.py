"""Addresses of pages that other rooms link to. Every other page has its address to itself."""

from __future__ import annotations

from urllib.parse import urlsplit

CORRECTIONS = "/corrections"
KEYS = "/keys"
OVERVIEW = "/"
PLAYGROUND = "/playground"
SIGN_IN = "/sign-in"
USAGE = "/usage"


def safe_path(path: str | None) -> str:
    """A path of this portal to go on to; the start page for anything else."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")):
        return OVERVIEW
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or not path.isprintable() or "\\" in path:
        return OVERVIEW
    return path
