"""An upstream's key with its calls: sent in a header, or signing what is sent."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import httpx

from backend.gateway.upstreams.aws_signature import AwsKey, NoAwsKey, signature_headers
from backend_client.types.upstreams import UpstreamTerms, is_sendable_key

_HASHED_AT_ONCE_BYTES: Final = 256 * 1024
"""Takes 0.2 to 0.4 ms, and 10 MiB take 20 ms: what is longer is hashed in a thread, and other calls
go on meanwhile."""


class KeyUnusable(Exception):
    """No call can be made with a key: it can't be sent, or can't sign. Says why and not the key."""


async def signed(
    terms: UpstreamTerms, key: str | None, url: str, sent: Mapping[str, str], body: bytes
) -> Mapping[str, str]:
    """Return the headers of a POST to an upstream, signed now where it wants calls signed.

    What names the body's kind is signed with it; what else is sent, intermediaries may add to.
    Raises ``KeyUnusable``.
    """
    if key is None:
        return sent
    if terms.aws_signature is None:
        if not is_sendable_key(key):
            raise KeyUnusable("has characters that can't be sent")
        return sent
    to = httpx.URL(url)
    try:
        own = AwsKey.read(key)
    except NoAwsKey as error:
        raise KeyUnusable(str(error)) from None
    return {
        **sent,
        **signature_headers(
            own,
            terms.aws_signature,
            datetime.now(UTC),
            method="POST",
            target=to.raw_path.decode("ascii"),
            headers={"host": to.netloc.decode("ascii"), "content-type": sent["content-type"]},
            body_sha256=await _hashed(body),
        ),
    }


async def _hashed(body: bytes) -> str:
    if len(body) <= _HASHED_AT_ONCE_BYTES:
        return _sha256(body)
    return await asyncio.to_thread(_sha256, body)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
