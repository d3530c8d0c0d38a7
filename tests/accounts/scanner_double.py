"""A secret scanner as GitHub's partner program describes it: it signs, and publishes its keys.

The fields and headers are those of
https://docs.github.com/code-security/secret-scanning/secret-scanning-partnership-program
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class ScannerDouble:
    """Signs with its newest key. ``rotate`` it for another; ``asked`` counts looks at the list."""

    def __init__(self) -> None:
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.asked = 0
        self.is_away = False
        self.rotate()
        self.app = Starlette(routes=[Route("/meta/public_keys/secret_scanning", self._list)])

    def rotate(self, curve: ec.EllipticCurve | None = None) -> None:
        """Sign with a new key from now on; the earlier ones stay listed."""
        key = ec.generate_private_key(curve or ec.SECP256R1())
        self.keys[hashlib.sha256(self._pem(key).encode()).hexdigest()] = key

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers of a message."""
        identifier, key = list(self.keys.items())[-1]
        signature = key.sign(body, ec.ECDSA(SHA256()))
        return {
            "content-type": "application/json",
            "github-public-key-identifier": identifier,
            "github-public-key-signature": base64.b64encode(signature).decode(),
        }

    def message(self, *matches: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """A message with matches, and its headers."""
        body = json.dumps(list(matches)).encode()
        return body, self.signed(body)

    async def _list(self, _: Request) -> Response:
        self.asked += 1
        if self.is_away:
            return Response(status_code=503)
        listed = [
            {"key_identifier": identifier, "key": self._pem(key), "is_current": place == 0}
            for place, (identifier, key) in enumerate(reversed(self.keys.items()))
        ]
        return JSONResponse({"public_keys": listed})

    @staticmethod
    def _pem(key: ec.EllipticCurvePrivateKey) -> str:
        return (
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        )
