"""Messages of a secret scanner: who signed them, and what was found where.

The form is that of GitHub's secret scanning partner program, in which others take part too:
https://docs.github.com/code-security/secret-scanning/secret-scanning-partnership-program
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from backend.accounts.errors import ScannerKeysUnavailable, ScanSignatureWrong
from backend.errors import MalformedRequest
from backend.kit.remembered import Remembered
from backend.kit.tls import tls_context

IDENTIFIER_HEADER: Final = "github-public-key-identifier"
SIGNATURE_HEADER: Final = "github-public-key-signature"
MOST_MATCHES: Final = 1_000
_KEYS_SECONDS: Final = 3600.0
_LONGEST_SIGNATURE: Final = 200
_LONGEST_KEYS_BYTES: Final = 256 * 1024

PublicKeys = Mapping[str, EllipticCurvePublicKey]


@dataclass(frozen=True, slots=True)
class Match:
    """A text that looks like a key; ``url`` may be empty, ``source`` is the kind of place."""

    token: str = field(repr=False)
    type: str
    url: str = ""
    source: str = ""


class SecretScanner:
    """A scanner whose public keys are at an address; they are fetched at need, and cached."""

    def __init__(self, keys_url: str, *, refresh_seconds: float = 10.0) -> None:
        """Fetch the keys again if one is missing, at most every ``refresh_seconds``."""
        self._keys_url = keys_url
        self._refresh_seconds = refresh_seconds
        self._keys: Remembered[None, PublicKeys] = Remembered(seconds=_KEYS_SECONDS, most=1)

    async def read(self, headers: Mapping[str, str], body: bytes) -> list[Match]:
        """Return what a message says was found, once its signature is verified.

        Raises ``ScanSignatureWrong``, ``MalformedRequest``, and ``ScannerKeysUnavailable``.
        """
        identifier = headers.get(IDENTIFIER_HEADER, "")
        signature = _decoded(headers.get(SIGNATURE_HEADER, ""))
        keys = await self._keys.get(None, self._fetch_keys)
        if identifier not in keys:
            keys = await self._keys.get(None, self._fetch_keys, seconds=self._refresh_seconds)
        key = keys.get(identifier)
        if key is None:
            raise ScanSignatureWrong("The scanner has no key of this name.")
        try:
            key.verify(signature, body, ECDSA(SHA256()))
        except InvalidSignature:
            raise ScanSignatureWrong() from None
        return _matches(body)

    async def _fetch_keys(self) -> PublicKeys:
        try:
            async with httpx.AsyncClient(timeout=10, verify=tls_context()) as client:
                answer = (await client.get(self._keys_url)).raise_for_status()
            if len(answer.content) > _LONGEST_KEYS_BYTES:
                raise ValueError("the list of keys is too long")
            listed = msgspec.json.decode(answer.content)["public_keys"]
            return {str(entry["key_identifier"]): _public_key(entry) for entry in listed}
        except (httpx.HTTPError, KeyError, TypeError, ValueError, UnsupportedAlgorithm) as error:
            raise ScannerKeysUnavailable() from error


def _public_key(entry: Mapping[str, Any]) -> EllipticCurvePublicKey:
    key = load_pem_public_key(str(entry["key"]).encode())
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("a scanner's key is not of the curve P-256")
    return key


def _decoded(signature: str) -> bytes:
    try:
        if 0 < len(signature) <= _LONGEST_SIGNATURE:
            return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise ScanSignatureWrong("The signature is missing, or no base64.")


def _matches(body: bytes) -> list[Match]:
    try:
        matches = msgspec.json.decode(body, type=list[Match])
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise MalformedRequest("The body is not a list of matches.") from None
    if len(matches) > MOST_MATCHES:
        raise MalformedRequest(f"One message has at most {MOST_MATCHES:,} matches.")
    return matches
