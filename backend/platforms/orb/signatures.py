"""The signature of Orb's webhooks. Pure.

``X-Orb-Signature: v1=<hex>``: HMAC-SHA256 of ``v1:``, the ``X-Orb-Timestamp`` (ISO 8601), a colon
and the body's bytes. There are several, with spaces between them, while a secret is rolled. As in
``Webhooks.verify_signature`` of Orb's own client.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
"""How old a signature may be, or ahead of us, as in Orb's own client."""


def why_refused(
    headers: Mapping[str, str], raw: bytes, secrets: Sequence[bytes], now: datetime
) -> str | None:
    """Return what is wrong with a signature; None if any of the secrets made it lately."""
    signature, stamp = headers.get("x-orb-signature"), headers.get("x-orb-timestamp")
    if not signature or not stamp:
        return "It has no X-Orb-Signature or no X-Orb-Timestamp."
    given = [part[3:] for part in signature.split() if part.startswith("v1=")]
    signed_at = _moment(stamp)
    if signed_at is None or not given:
        return "Its signature can't be read."
    signed = b"v1:" + stamp.encode() + b":" + raw
    expected = [hmac.new(secret, signed, hashlib.sha256).hexdigest() for secret in secrets]
    if not any(
        hmac.compare_digest(wanted.encode(), value.encode())
        for wanted in expected
        for value in given
    ):
        return "Its signature is by none of the secrets."
    if abs(now - signed_at) > TOLERANCE:
        return "Its signature is more than five minutes old."
    return None


def _moment(stamp: str) -> datetime | None:
    """Read a time; one without an offset is in UTC, as Orb's client takes it."""
    try:
        at = datetime.fromisoformat(stamp)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
