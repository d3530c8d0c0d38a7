"""A server that admits calls as Amazon Bedrock's runtime does: by signature, or by an API key.

It computes each signature by itself, from the bytes that came, by what AWS publishes:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; its
refusals are those of https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

from tests.support.provider_double import Exchange, ProviderDouble

_SENT = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_PATH = re.compile(r"/openai/v1/chat/completions|/model/[A-Za-z0-9.:%_-]+/invoke")
"""InvokeModel takes the same body for OpenAI's models, and has the model's id in its path."""
_SKEW = timedelta(minutes=5)


@dataclass
class AccessKey:
    """What AWS knows of an access key; a temporary one has a token and an end."""

    secret: str
    token: str | None = None
    ends: datetime | None = None


@dataclass
class Refusal(Exception):
    kind: str
    message: str
    status: int = 403


@dataclass
class Account:
    """Who may call, and in which region; who did, by access key or API key."""

    region: str = "us-west-2"
    service: str = "bedrock"
    access_keys: dict[str, AccessKey] = field(default_factory=dict)
    api_keys: set[str] = field(default_factory=set)
    admitted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class BedrockDouble(ProviderDouble):
    """Answers OpenAI's chat completions to whom ``account`` knows."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()

    async def admits(self, exchange: Exchange, body: bytes) -> bool:
        asked = exchange.asked
        try:
            who = _caller(self.account, "POST", asked.path, asked.headers, body)
            if not _PATH.fullmatch(asked.path.partition("?")[0]):
                raise Refusal("UnknownOperationException", "", 404)
        except Refusal as refusal:
            self.account.refused.append(refusal.kind)
            answer: dict[str, Any] = {"message": refusal.message}
            await exchange.whole(answer, refusal.status, x_amzn_errortype=refusal.kind)
            return False
        self.account.admitted.append(who)
        return True


def _caller(
    account: Account, method: str, target: str, headers: dict[str, str], body: bytes
) -> str:
    """Return who calls; raises ``Refusal``."""
    authorization = headers.get("authorization", "")
    if authorization.startswith("Bearer "):
        key = authorization.removeprefix("Bearer ")
        if key not in account.api_keys:
            raise Refusal("AccessDeniedException", "Authentication failed: API key is not valid.")
        return key
    if not authorization:
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    sent = _SENT.fullmatch(authorization)
    if sent is None or "x-amz-date" not in headers:
        raise Refusal("IncompleteSignatureException", "Authorization header is incomplete.", 400)
    key_id, day, region, service, names, signature = sent.groups()
    key = account.access_keys.get(key_id)
    if key is None or headers.get("x-amz-security-token") != key.token:
        message = "The security token included in the request is invalid."
        raise Refusal("UnrecognizedClientException", message)
    now, at = datetime.now(UTC), datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%S%z")
    if key.ends is not None and key.ends <= now:
        message = "The security token included in the request is expired"
        raise Refusal("ExpiredTokenException", message)
    if abs(now - at) > _SKEW or f"{at:%Y%m%d}" != day:
        raise Refusal("InvalidSignatureException", f"Signature expired: {at:%Y%m%dT%H%M%SZ}")
    if (region, service) != (account.region, account.service):
        message = "Credential should be scoped to a valid region."
        raise Refusal("InvalidSignatureException", message)
    signed = names.split(";")
    must = {name for name in headers if name in ("host", "content-type") or name[:6] == "x-amz-"}
    if signed != sorted(signed) or not must <= set(signed) <= headers.keys():
        raise Refusal("InvalidSignatureException", f"Headers must be signed: {sorted(must)}")
    path, _, query = target.partition("?")
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    request = (
        f"{method}\n{quote(path, safe='/-_.~')}\n{'&'.join('='.join(pair) for pair in pairs)}\n"
        + "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed)
        + f"\n{names}\n{hashlib.sha256(body).hexdigest()}"
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{_sha256(request)}"
    signing = _hmac(f"AWS4{key.secret}".encode(), day)
    for part in (region, service, "aws4_request"):
        signing = _hmac(signing, part)
    if not hmac.compare_digest(_hmac(signing, to_sign).hex(), signature):
        message = (
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method."
        )
        raise Refusal("InvalidSignatureException", message)
    return key_id


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
