"""Secrets of endpoints: made, sealed, rotated with an overlap. Standard Webhooks has their form."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.kit.addresses import webhook_secrets as read_secrets
from backend.kit.sealing import Sealer
from backend.storage.tables import webhook_secrets as secrets
from backend.webhooks.errors import TooManyWebhookSecrets

_BYTES: Final = 32
_MOST_RETIRED: Final = 3


async def give_secret(
    connection: AsyncConnection, sealer: Sealer, tenant_id: str, endpoint_id: str
) -> str:
    """Give an endpoint without a present secret a new one, and return it.

    Raises ``SecretsKeyMissing`` if there is nothing to keep it by.
    """
    secret = f"whsec_{base64.b64encode(os.urandom(_BYTES)).decode()}"
    await connection.execute(
        insert(secrets).values(
            tenant_id=tenant_id,
            endpoint_id=endpoint_id,
            id=new_id("whs"),
            sealed=sealer.seal(_owner(endpoint_id), secret),
        )
    )
    return secret


async def retire_secret(
    connection: AsyncConnection, tenant_id: str, endpoint_id: str, grace_seconds: int
) -> None:
    """End the present secret of a locked endpoint after ``grace_seconds``, at once with 0.

    Without grace earlier ones end too. Raises ``Conflict`` if too many old ones still sign.
    """
    if not grace_seconds:
        await connection.execute(delete(secrets).where(_of(tenant_id, endpoint_id)))
        return
    now = datetime.now(UTC)
    mine = _of(tenant_id, endpoint_id)
    await connection.execute(delete(secrets).where(mine, secrets.c.works_until <= now))
    retired = select(func.count()).where(mine, secrets.c.works_until.is_not(None))
    if (await connection.scalar(retired) or 0) >= _MOST_RETIRED:
        raise TooManyWebhookSecrets(
            f"{_MOST_RETIRED} old secrets of this webhook still sign. Wait until one ends, or end "
            "them all."
        )
    await connection.execute(
        update(secrets)
        .where(mine, secrets.c.works_until.is_(None))
        .values(works_until=now + timedelta(seconds=grace_seconds))
    )


async def end_earlier_secrets(connection: AsyncConnection, tenant_id: str, endpoint_id: str) -> int:
    """End all secrets but the present; return how many still signed."""
    ended = await connection.execute(
        delete(secrets)
        .where(_of(tenant_id, endpoint_id), secrets.c.works_until.is_not(None))
        .returning(secrets.c.works_until)
    )
    now = datetime.now(UTC)
    return sum(works_until > now for (works_until,) in ended)


async def signing_secrets(
    connection: AsyncConnection, sealer: Sealer, tenant_id: str, endpoint_id: str
) -> Sequence[bytes]:
    """Return the keys that sign now, the present first; none if none can be opened."""
    query = (
        select(secrets.c.sealed)
        .where(
            _of(tenant_id, endpoint_id),
            or_(secrets.c.works_until.is_(None), secrets.c.works_until > func.now()),
        )
        .order_by(secrets.c.works_until.desc().nulls_first())
    )
    opened = [
        sealer.open(_owner(endpoint_id), sealed) for sealed in await connection.scalars(query)
    ]
    return [key for secret in opened if secret for key in read_secrets(secret)]


def _of(tenant_id: str, endpoint_id: str) -> ColumnElement[bool]:
    return and_(secrets.c.tenant_id == tenant_id, secrets.c.endpoint_id == endpoint_id)


def _owner(endpoint_id: str) -> str:
    """Name whose it is to the sealer: with a space, as no upstream's name has one."""
    return f"webhook {endpoint_id}"
