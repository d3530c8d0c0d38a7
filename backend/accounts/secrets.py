"""Secrets: random, shown once, stored as a hash."""

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
    """A new secret. ``value`` is shown once; the other fields may be stored."""

    value: str = field(repr=False)
    hash: bytes
    prefix: str
    last_four: str


def new_secret(prefix: str) -> Secret:
    """Return a secret of 256 random bits after ``prefix``."""
    value = prefix + secrets.token_urlsafe(32)
    return Secret(value, hash_secret(value), prefix, value[-4:])


def hash_secret(value: str) -> bytes:
    """Hash a secret for storing and looking up.

    Plain SHA-256 is enough: guessing 256 random bits is infeasible, and a slow hash would slow down
    every call.
    """
    return hashlib.sha256(value.encode()).digest()
