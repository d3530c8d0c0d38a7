"""Secrets that must be read again: kept sealed, each for one owner, such as an upstream.

By JSON Web Encryption (RFC 7516) with a shared key, and AES-256 in GCM. What a copy of the database
holds opens nothing without ``FAREBOX_SECRETS_KEY``.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import SecretStr

from backend.kit.errors import SecretsKeyMissing

_HEADER: Final = {"alg": "dir", "enc": "A256GCM"}
_OWNER: Final = "upstream"
"""The first owners were upstreams; what was sealed for them stays readable."""


class Sealer:
    """Seals and opens with ``FAREBOX_SECRETS_KEY``; without one it can do neither."""

    def __init__(self, secrets_key: SecretStr | None) -> None:
        given = secrets_key.get_secret_value().split() if secrets_key else []
        self._keys = [OctKey.import_key(hashlib.sha256(key.encode()).digest()) for key in given]

    def seal(self, owner: str, secret: str) -> str:
        """Return a secret as it is kept for its owner; raises ``SecretsKeyMissing``."""
        if not self._keys:
            raise SecretsKeyMissing(
                "Secrets are kept sealed by FAREBOX_SECRETS_KEY, which the operator has to set."
            )
        content = json.dumps({_OWNER: owner, "secret": secret}).encode()
        return jwe.encrypt_compact(dict(_HEADER), content, self._keys[0])

    def open(self, owner: str, sealed: str) -> str | None:
        """Return the secret; None if it was sealed by another key, or for another owner."""
        for key in self._keys:
            try:
                content = json.loads(jwe.decrypt_compact(sealed, key).plaintext or b"{}")
            except (JoseError, ValueError):
                continue
            return str(content["secret"]) if content.get(_OWNER) == owner else None
        return None
