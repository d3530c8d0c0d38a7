"""ID tokens of the identity provider (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from backend.accounts.errors import IdentityProviderUnavailable, InvalidIdentityToken
from backend.kit.remembered import Remembered
from backend.kit.tls import tls_context

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Only signatures by a key pair: never ``none``, never a secret shared with the client."""
_KEYS_SECONDS = 3600.0
_LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Identity:
    """The person that an ID token is about."""

    issuer: str
    subject: str
    name: str
    email: str | None
    valid_until: datetime
    """Until when its token can be used: its end, with the leeway that clocks get."""
    email_verified: bool = False
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)


class IdentityProvider:
    """Verifies the ID tokens of one issuer, for one client id."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        trust_emails: bool = False,
        refresh_seconds: float = 10.0,
    ) -> None:
        """Fetch the issuer's keys again if one is missing, at most every ``refresh_seconds``.

        With ``trust_emails`` an address counts as verified unless the issuer says that it is not.
        """
        self._trust_emails = trust_emails
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._refresh_seconds = refresh_seconds
        self._keys: Remembered[None, KeySet] = Remembered(seconds=_KEYS_SECONDS, most=1)

    async def verify(self, id_token: str, nonce: str) -> Identity:
        """Return the person that the token is about.

        Raises ``Unauthenticated`` if it is not one that the issuer made for this client and this
        sign-in, ``Unavailable`` if the issuer's keys can't be fetched.
        """
        keys = await self._keys.get(None, self._fetch_keys)
        try:
            try:
                token = jwt.decode(id_token, keys, algorithms=_ALGORITHMS)
            except (InvalidKeyIdError, BadSignatureError):
                # Signed by a newer key than those we know, which may have the name of one of them
                keys = await self._keys.get(None, self._fetch_keys, seconds=self._refresh_seconds)
                token = jwt.decode(id_token, keys, algorithms=_ALGORITHMS)
            claims = token.claims
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY_SECONDS,
                iss={"essential": True, "values": [self._issuer, self._issuer + "/"]},
                aud={"essential": True, "value": self._client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError) as error:
            raise InvalidIdentityToken() from error
        own = str(claims.get("nonce") or "")
        if not own or not hmac.compare_digest(own.encode(), nonce.encode()):
            raise InvalidIdentityToken("The identity provider's token is for another sign-in.")
        authorized = claims.get("azp")
        if authorized is not None and authorized != self._client_id:
            raise InvalidIdentityToken("The identity provider's token is for another client.")
        subject = str(claims["sub"])
        email = claims.get("email")
        return Identity(
            issuer=self._issuer,
            subject=subject,
            name=str(claims.get("name") or claims.get("preferred_username") or email or subject),
            email=str(email) if email else None,
            valid_until=datetime.fromtimestamp(claims["exp"] + _LEEWAY_SECONDS + 1, UTC),
            email_verified=bool(email) and self._vouches(claims.get("email_verified")),
            claims=claims,
        )

    def _vouches(self, verified: object) -> bool:
        """Read ``email_verified``, which some providers send as a text."""
        return self._trust_emails if verified is None else verified in (True, "true")

    async def _fetch_keys(self) -> KeySet:
        try:
            async with httpx.AsyncClient(
                timeout=10, follow_redirects=True, verify=tls_context()
            ) as client:
                configuration = await client.get(f"{self._issuer}/.well-known/openid-configuration")
                uri = configuration.raise_for_status().json()["jwks_uri"]
                answer = await client.get(uri)
                return KeySet.import_key_set(answer.raise_for_status().json())
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise IdentityProviderUnavailable() from error
