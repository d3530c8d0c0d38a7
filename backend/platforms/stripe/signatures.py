"""The signature of Stripe's webhooks. Pure.

``Stripe-Signature: t=<Unix time>,v1=<hex>``: HMAC-SHA256 of the time, a dot and the body's bytes.
There are several ``v1`` while a secret is rolled. https://docs.stripe.com/webhooks/signature
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
"""How old a signature may be, as in Stripe's own libraries."""


def why_refused(
    header: str | None, raw: bytes, secrets: Sequence[bytes], now: datetime
) -> str | None:
    """Return what is wrong with a signature; None if any of the secrets made it lately."""
    if not header:
        return "It has no Stripe-Signature."
    fields = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in fields if name.strip() == "t"]
    given = [value.strip() for name, _, value in fields if name.strip() == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or not given:
        return "Its Stripe-Signature can't be read."
    signed = times[0].encode() + b"." + raw
    expected = [hmac.new(secret, signed, hashlib.sha256).hexdigest() for secret in secrets]
    if not any(
        hmac.compare_digest(wanted.encode(), value.encode())
        for wanted in expected
        for value in given
    ):
        return "Its signature is by none of the secrets."
    age = now.timestamp() - int(times[0][:15])
    if abs(age) > TOLERANCE.total_seconds():
        return "Its signature is more than five minutes old."
    return None
