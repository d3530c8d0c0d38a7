"""An identity provider's ID tokens, got as the portal gets them, for tests of the API alone."""

from __future__ import annotations

import httpx

from backend.kit.tls import tls_context

CLIENT = "farebox"
NONCE = "of this sign-in"
_PORTAL = "http://127.0.0.1:3000/auth/callback"


async def sign_in_body(issuer: str, person: str) -> dict[str, str]:
    """What the portal sends to begin a session for somebody who signs in at the provider."""
    asked = {
        "client_id": CLIENT,
        "response_type": "code",
        "redirect_uri": _PORTAL,
        "scope": "openid email profile",
        "nonce": NONCE,
    }
    async with httpx.AsyncClient(verify=tls_context()) as provider:
        consented = await provider.post(
            httpx.URL(f"{issuer}/oauth2/authorize", params=asked), data={"sub": person}
        )
        assert consented.status_code == 302, consented.text
        tokens = await provider.post(
            f"{issuer}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": httpx.URL(consented.headers["location"]).params["code"],
                "redirect_uri": _PORTAL,
                "client_id": CLIENT,
                "client_secret": "a secret",
            },
        )
    return {"id_token": tokens.json()["id_token"], "nonce": NONCE}
