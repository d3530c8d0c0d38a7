"""Requests signed as AWS wants them: Signature Version 4. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote, unquote

from backend_client.types.upstreams import AWS_KEY, AwsSignature

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"  # beside letters and digits (RFC 3986, 2.3)
_BLANKS: Final = re.compile(r" +")


class NoAwsKey(ValueError):
    """A key is no pair of an access key's id and its secret."""


@dataclass(frozen=True, slots=True)
class AwsKey:
    """An access key. A temporary one has a session's token too."""

    id: str
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read ``id:secret`` or ``id:secret:token``; raises ``NoAwsKey``."""
        written = AWS_KEY.fullmatch(text)
        if written is None:
            raise NoAwsKey("is no access key id and secret with a colon between them")
        return cls(written[1], written[2], written[3])


def signature_headers(
    key: AwsKey,
    scope: AwsSignature,
    at: datetime,
    *,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body_sha256: str,
) -> dict[str, str]:
    """Return the headers that sign a request, which is sent with them and with ``headers``.

    ``target`` is the path and the query as they are sent; of ``headers``, which are all signed, one
    is ``host``; ``body_sha256`` is the body's hash in hexadecimal digits.
    """
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": moment}
    if key.session_token is not None:
        added["x-amz-security-token"] = key.session_token
    signed = {name.lower(): text for name, text in headers.items()} | added
    names = ";".join(sorted(signed))
    canonical = canonical_request(method, target, signed, body_sha256)
    within = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    secret = f"AWS4{key.secret}".encode()
    for part in within.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    text = f"{_ALGORITHM}\n{moment}\n{within}\n{hashed}"
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    credential = f"Credential={key.id}/{within}"
    authorization = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**added, "authorization": authorization}


def canonical_request(
    method: str, target: str, headers: Mapping[str, str], body_sha256: str
) -> str:
    """Return the one text of a request that its signature is of; names are in lower case.

    Each part of the path is encoded twice, says AWS, except for S3. It is sent encoded, so that it
    is encoded once more here: a colon of a model's id, which is sent as it is, becomes ``%3A``, and
    a slash of one, which is sent as ``%2F``, becomes ``%252F``. AWS's own SDKs do the same.
    """
    path, _, query = target.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted((_encoded(name), _encoded(text)) for name, _, text in pairs)
    lines = [f"{name}:{_BLANKS.sub(' ', headers[name].strip())}" for name in sorted(headers)]
    return "\n".join(
        [
            method,
            quote(_normal_path(path), safe=f"/{_UNRESERVED}"),
            "&".join(f"{name}={text}" for name, text in encoded),
            *lines,
            "",
            ";".join(sorted(headers)),
            body_sha256,
        ]
    )


def _normal_path(path: str) -> str:
    """Return a path without empty parts and dots (RFC 3986, 6.2.2.3), as it is signed."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    is_folder = bool(kept) and path.endswith(("/", "/.", "/.."))
    return "/" + "/".join(kept) + ("/" if is_folder else "")


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)
