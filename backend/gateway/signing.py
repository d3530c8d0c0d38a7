"""Calls that are signed with an upstream's key, which is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from backend.gateway.aws_signature import AwsKey, NoAwsKey, signature_headers
from backend_client.types.upstreams import UpstreamTerms


def signed(
    terms: UpstreamTerms, key: str | None, url: str, sent: Mapping[str, str], body: bytes
) -> Mapping[str, str]:
    """Return the headers of a POST to an upstream, signed now where it wants calls signed.

    What names the body's kind is signed with it; what else is sent, intermediaries may add to.
    Raises ``LocalProtocolError`` for a key that can't sign.
    """
    if terms.aws_signature is None or key is None:
        return sent
    to = httpx.URL(url)
    try:
        own = AwsKey.read(key)
    except NoAwsKey as error:
        raise httpx.LocalProtocolError(f"the key {error}") from None
    return {
        **sent,
        **signature_headers(
            own,
            terms.aws_signature,
            datetime.now(UTC),
            method="POST",
            target=to.raw_path.decode("ascii"),
            headers={"host": to.netloc.decode("ascii"), "content-type": sent["content-type"]},
            body=body,
        ),
    }
