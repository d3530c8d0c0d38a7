"""An ID token begins one session, however its signature is written."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from backend.accounts.errors import InvalidIdentityToken
from backend.accounts.sessions.used_tokens import use_once
from backend.storage.database import Database

pytestmark = pytest.mark.engine

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve's base point (SEC 2, section 2.4.2)."""


def with_the_other_signature(token: str) -> str:
    """The token with the signature ``(r, n - s)``, which is valid wherever ``(r, s)`` is."""
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    return f"{signed}.{base64.urlsafe_b64encode(raw[:32] + other).decode().rstrip('=')}"


async def test_a_token_is_not_used_again_with_another_signature(database: Database) -> None:
    key = ECKey.generate_key("P-256")
    token = jwt.encode({"alg": "ES256"}, {"sub": "ada"}, key)
    other = with_the_other_signature(token)
    assert other != token
    assert jwt.decode(other, key, algorithms=["ES256"]).claims == {"sub": "ada"}
    expires_at = datetime.now(UTC) + timedelta(minutes=5)
    async with database.begin() as connection:
        await use_once(connection, token, expires_at)
        for again in (token, other):
            with pytest.raises(InvalidIdentityToken):
                await use_once(connection, again, expires_at)
        await use_once(connection, jwt.encode({"alg": "ES256"}, {"sub": "eve"}, key), expires_at)
