"""Secrets: made from the system's randomness, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

API_KEY = "fb_live_"
OPERATOR_KEY = "fb_oper_"
SESSION = "fbs_"
INVITATION = "fbi_"


@dataclass(frozen=True, slots=True)
class Secret:
    """A new secret. ``value`` is handed out this once; the rest is what may be kept."""

    value: str = field(repr=False)
    hash: bytes
    prefix: str
    last_four: str


def new_secret(prefix: str) -> Secret:
    """Make a secret of 256 random bits behind ``prefix``."""
    value = prefix + secrets.token_urlsafe(32)
    return Secret(value, hash_secret(value), prefix, value[-4:])


def hash_secret(value: str) -> bytes:
    """Hash a secret for keeping and looking up.

    Plain SHA-256 is enough: there are 256 random bits to guess, so a slow hash would only slow
    down every call.
    """
    return hashlib.sha256(value.encode()).digest()
