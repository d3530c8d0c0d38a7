"""Secrets: random, shown once, stored as a hash.

A key ends with a checksum, so that who scans code for leaked ones need not ask about every text
that looks like one; see docs/api.md, which publishes the form.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from typing import Final

API_KEY = "fb_live_"
OPERATOR_KEY = "fb_oper_"
SESSION = "fbs_"
INVITATION = "fbi_"

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM_CHARACTERS: Final = 6
_KEY: Final = re.compile(r"fb_(?:live|oper)_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}")
"""Keys that were made before they had a checksum are six characters shorter."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A new secret. ``value`` is shown once; the other fields may be stored."""

    value: str = field(repr=False)
    hash: bytes
    prefix: str
    last_four: str


def new_secret(prefix: str) -> Secret:
    """Return a secret of 256 random bits after ``prefix``; a key's has its checksum at the end."""
    value = prefix + secrets.token_urlsafe(32)
    if prefix in (API_KEY, OPERATOR_KEY):
        value += _checksum(value)
    return Secret(value, hash_secret(value), prefix, value[-4:])


def is_mistyped(value: str) -> bool:
    """Return whether a text has the form of a key and a checksum that is not its own."""
    if _KEY.fullmatch(value) is None:
        return False
    return _checksum(value[:-_CHECKSUM_CHARACTERS]) != value[-_CHECKSUM_CHARACTERS:]


def _checksum(text: str) -> str:
    """Return the CRC-32 of a text in base 62, the digits before the capitals."""
    rest, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def hash_secret(value: str) -> bytes:
    """Hash a secret for storing and looking up.

    Plain SHA-256 is enough: guessing 256 random bits is infeasible, and a slow hash would slow down
    every call.
    """
    return hashlib.sha256(value.encode()).digest()
