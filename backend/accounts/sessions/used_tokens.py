"""ID tokens that were used: each begins one session, whoever gets hold of it later."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import InvalidIdentityToken
from backend.accounts.secrets import hash_secret
from backend.storage.tables import used_id_tokens


async def use_once(connection: AsyncConnection, id_token: str, expires_at: datetime) -> None:
    """Note that a token is used, until it expires; raise ``InvalidIdentityToken`` if it was.

    It is known by what is signed, without its signature: of an elliptic curve's signature anybody
    can make another that is as good.
    """
    signed, _, _ = id_token.rpartition(".")
    await connection.execute(delete(used_id_tokens).where(used_id_tokens.c.expires_at < func.now()))
    noted = await connection.execute(
        insert(used_id_tokens)
        .values(token_hash=hash_secret(signed), expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(used_id_tokens.c.expires_at)
    )
    if noted.first() is None:
        raise InvalidIdentityToken("The identity provider's token was used before.")
