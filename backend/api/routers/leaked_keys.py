"""Leaked keys: reported by the operator, or by a secret scanner that signs its messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request

from backend.accounts.errors import KeyNotFound, ScannerNotConfigured, ScanSignatureWrong
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.api.errors import BodyTooLarge
from backend.customers.leaked_keys import SCANNER, Place, end_leaked
from backend_client.types.leaked_keys import KeyLeak, LeakedKey, ScannedSecret

router = APIRouter(tags=["keys"])

Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]

MOST_BYTES: Final = 1024 * 1024
_MATCHES: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "title": "SecretMatch",
                        "properties": {
                            "token": {"type": "string"},
                            "type": {"type": "string"},
                            "url": {"type": "string"},
                            "source": {"type": "string"},
                        },
                        "required": ["token", "type"],
                    },
                }
            }
        },
    }
}


@router.post("/v1/leaked-keys", tags=["operator"])
async def post_leaked_key(services: ServicesNow, caller: Admin, leak: KeyLeak) -> LeakedKey:
    """End a key whose secret was found where others can read it, and notify its owners.

    It is revoked, or disabled, as the installation has it; of a rotated key's earlier secret, that
    secret alone ends. 404 if nobody has such a key.
    """
    async with services.database.begin() as connection:
        ended = await end_leaked(
            connection,
            services.settings,
            caller,
            leak.secret.strip(),
            Place(leak.url or ""),
            datetime.now(UTC),
        )
    if ended is None:
        raise KeyNotFound()
    services.authenticator.forget(leak.secret.strip())
    return ended


@router.post("/v1/secret-scanning", openapi_extra=_MATCHES)
async def post_matches(services: ServicesNow, request: Request) -> list[ScannedSecret]:
    """Take what a secret scanner found, in the form of GitHub's partner program.

    Keys of this installation among it are ended, and their owners notified. The headers
    `Github-Public-Key-Identifier` and `Github-Public-Key-Signature` sign the body. 404 unless the
    installation has a scanner.
    """
    scanner = services.secret_scanner
    if scanner is None:
        raise ScannerNotConfigured()
    guesses = services.guesses
    with guesses.slowed("scan", guesses.network(), ScanSignatureWrong):
        matches = await scanner.read(request.headers, await _body(request))
    answers = []
    for match in matches:
        # Each by itself: what ends one key must not wait for the others, nor be lost with one
        async with services.database.begin() as connection:
            ended = await end_leaked(
                connection,
                services.settings,
                SCANNER,
                match.token,
                Place(match.url, match.source),
                datetime.now(UTC),
            )
        services.authenticator.forget(match.token)
        label = "false_positive" if ended is None else "true_positive"
        answers.append(ScannedSecret(token_raw=match.token, token_type=match.type, label=label))
    return answers


async def _body(request: Request) -> bytes:
    """Return a body that anybody may have sent; raise ``BodyTooLarge`` as soon as it is."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(f"The body is over the limit of {MOST_BYTES:,} bytes.")
    return bytes(body)
