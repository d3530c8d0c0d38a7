"""ID tokens: what a provider's discovery and keys let through, and every way to be refused."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backend.accounts.sessions.identity import IdentityProvider
from backend.errors import Unauthenticated, Unavailable
from tests.support.serving import served

pytestmark = pytest.mark.fast

CLIENT = "farebox"
NONCE = "of this sign-in"


@cache
def key_named(kid: str, owner: str = "the provider") -> RSAKey:
    """A key of its own for each name and owner; made once, for that takes long."""
    return RSAKey.generate_key(parameters={"kid": kid})


class Provider:
    """Discovery and keys over HTTP; tokens as whoever holds a key would sign them."""

    def __init__(self) -> None:
        self.url = ""
        self.key = key_named("first")
        self.fetched = 0
        self.down = False

    def app(self) -> Starlette:
        async def configuration(request: Request) -> Response:
            return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

        async def keys(request: Request) -> Response:
            self.fetched += 1
            status = 503 if self.down else 200
            return JSONResponse(KeySet([self.key]).as_dict(private=False), status_code=status)

        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", configuration),
                Route("/keys", keys),
            ]
        )

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "nonce": NONCE,
            "name": "Ada",
            "email": "ada@mail.example",
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, **changes: Any) -> str:
        header = {"alg": "RS256", "kid": self.key.kid}
        return jwt.encode(header, self.claims(**changes), self.key)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    async with served(provider.app()) as url:
        provider.url = url
        yield provider


async def test_a_good_token_tells_who(provider: Provider) -> None:
    identity = await IdentityProvider(f"{provider.url}/", CLIENT).verify(provider.token(), NONCE)
    assert (identity.issuer, identity.subject) == (provider.url, "ada")
    assert (identity.name, identity.email) == ("Ada", "ada@mail.example")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": None, "preferred_username": "ada1"}, "ada1"),
        ({"name": None}, "ada@mail.example"),
        ({"name": None, "email": None}, "ada"),
    ],
)
async def test_a_name_is_found_for_everybody(
    provider: Provider, claims: dict[str, Any], name: str
) -> None:
    token = provider.token(**claims)
    assert (await IdentityProvider(provider.url, CLIENT).verify(token, NONCE)).name == name


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://id.example.com"},
        {"iss": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_token_for_another_purpose_is_refused(
    provider: Provider, claims: dict[str, Any]
) -> None:
    verifier = IdentityProvider(provider.url, CLIENT)
    with pytest.raises(Unauthenticated):
        await verifier.verify(provider.token(**claims), NONCE)
    assert (await verifier.verify(provider.token(), NONCE)).subject == "ada"


def _of_another_key(provider: Provider) -> str:
    another = key_named(provider.key.kid, "somebody else")
    return jwt.encode({"alg": "RS256", "kid": another.kid}, provider.claims(), another)


def _of_an_unknown_key(provider: Provider) -> str:
    another = key_named("unknown")
    return jwt.encode({"alg": "RS256", "kid": "unknown"}, provider.claims(), another)


def _by_the_public_key_as_a_secret(provider: Provider) -> str:
    # By hand: the library refuses to sign with such a secret.
    header = json.dumps({"alg": "HS256", "kid": provider.key.kid}).encode()
    signed = b".".join(_base64(part) for part in (header, json.dumps(provider.claims()).encode()))
    signature = hmac.digest(provider.key.as_pem(private=False), signed, "sha256")
    return b".".join([signed, _base64(signature)]).decode()


def _base64(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def _unsigned(provider: Provider) -> str:
    _, payload, _ = provider.token().split(".")
    return f"eyJhbGciOiJub25lIn0.{payload}."  # {"alg":"none"}


def _changed(provider: Provider) -> str:
    header, _, signature = provider.token().split(".")
    _, payload, _ = provider.token(sub="eve").split(".")
    return f"{header}.{payload}.{signature}"


def _no_token(provider: Provider) -> str:
    return "none"


@pytest.mark.parametrize(
    "forge",
    [
        _of_another_key,
        _of_an_unknown_key,
        _by_the_public_key_as_a_secret,
        _unsigned,
        _changed,
        _no_token,
    ],
)
async def test_a_forged_token_is_refused(
    provider: Provider, forge: Callable[[Provider], str]
) -> None:
    verifier = IdentityProvider(provider.url, CLIENT)
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(provider), NONCE)


async def test_the_providers_new_key_is_fetched_and_unknown_ones_do_not_hammer_it(
    provider: Provider,
) -> None:
    verifier = IdentityProvider(provider.url, CLIENT, refresh_seconds=0)
    await verifier.verify(provider.token(), NONCE)
    await verifier.verify(provider.token(), NONCE)
    assert provider.fetched == 1
    provider.key = key_named("second")
    assert (await verifier.verify(provider.token(), NONCE)).subject == "ada"
    assert provider.fetched == 2

    patient = IdentityProvider(provider.url, CLIENT)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await patient.verify(_of_an_unknown_key(provider), NONCE)
    assert provider.fetched == 3


async def test_a_key_that_took_the_name_of_another_is_fetched(provider: Provider) -> None:
    """Sign-in was refused for up to an hour, since only an unknown name was looked up anew."""
    verifier = IdentityProvider(provider.url, CLIENT, refresh_seconds=0)
    await verifier.verify(provider.token(), NONCE)
    provider.key = RSAKey.generate_key(parameters={"kid": provider.key.kid})
    assert (await verifier.verify(provider.token(), NONCE)).subject == "ada"


@pytest.mark.parametrize("claims", [{"nonce": ""}, {"nonce": None}], ids=str)
async def test_a_token_without_a_nonce_is_refused_whatever_the_caller_sends(
    provider: Provider, claims: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        await IdentityProvider(provider.url, CLIENT).verify(provider.token(**claims), "")


async def test_a_provider_that_does_not_answer_is_unavailable(provider: Provider) -> None:
    provider.down = True
    with pytest.raises(Unavailable):
        await IdentityProvider(provider.url, CLIENT).verify(provider.token(), NONCE)
    with pytest.raises(Unavailable):
        await IdentityProvider("http://127.0.0.1:1", CLIENT).verify(provider.token(), NONCE)
