"""Keys that were found where anybody can read them: ended at once, and their owners notified."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Row, and_, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.keys.keys import revoke_keys
from backend.accounts.keys.operator_keys import revoke_operator_key
from backend.accounts.principal import Principal
from backend.accounts.secrets import API_KEY, OPERATOR_KEY, hash_secret, is_mistyped
from backend.outbox.notices import Notice
from backend.outbox.queue import enqueue_notices
from backend.settings import Settings
from backend.storage.tables import api_keys, operator_keys, retired_secrets
from backend_client.types.accounts import Role
from backend_client.types.leaked_keys import LeakedKey, LeakOutcome
from backend_client.types.notifications import KeyLeaked, NotificationKind

SCANNER: Final = Principal(
    kind="operator",
    id="secret-scanning",
    tenant_id="",
    permissions=frozenset(),
    role=Role.OPERATOR,
)
"""Whose act it is that a scanner's match ends a key."""

_LONGEST_URL: Final = 2000
_UNSHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret was found; empty where nobody says."""

    url: str = ""
    source: str = ""

    def without(self, secret: str) -> Place:
        """Return it as it may be kept: without the secret, and what could hide in a text."""
        url, source = (
            _UNSHOWN.sub("", text.replace(secret, "[key]"))[:_LONGEST_URL]
            for text in (self.url, self.source)
        )
        return Place(url, source)


async def end_leaked(
    connection: AsyncConnection,
    settings: Settings,
    caller: Principal,
    secret: str,
    place: Place,
    now: datetime,
) -> LeakedKey | None:
    """End the key that a secret is of, record that, and notify its owners; None if it is of none.

    A customer's key is revoked or disabled, as the installation has it; of a rotated key's earlier
    secret, that secret alone ends. An operator's key is revoked. Repeated, it changes nothing.
    """
    if is_mistyped(secret):
        return None
    found_at = place.without(secret)
    if secret.startswith(OPERATOR_KEY):
        return await _end_operators(connection, caller, hash_secret(secret), found_at)
    if secret.startswith(API_KEY):
        slot = hash_secret(secret)
        return await _end_customers(connection, settings, caller, slot, found_at, now)
    return None


async def _end_operators(
    connection: AsyncConnection, caller: Principal, slot: bytes, place: Place
) -> LeakedKey | None:
    selected = await connection.execute(
        select(operator_keys.c.id, operator_keys.c.name, operator_keys.c.revoked_at)
        .where(operator_keys.c.secret_hash == slot)
        .with_for_update()
    )
    key = selected.first()
    if key is None:
        return None
    outcome: LeakOutcome = "none"
    if key.revoked_at is None:
        await revoke_operator_key(connection, caller, key.id)
        outcome = "revoked"
        detail = _detail(outcome, place)
        await record(
            connection, caller, "operator_key.leak", key.id, tenant_id=NO_TENANT, detail=detail
        )
    return LeakedKey(tenant_id=None, key_id=key.id, key_name=key.name, outcome=outcome)


async def _end_customers(
    connection: AsyncConnection,
    settings: Settings,
    caller: Principal,
    slot: bytes,
    place: Place,
    now: datetime,
) -> LeakedKey | None:
    key = await _locked(connection, slot)
    if key is None:
        return None
    by = caller.acting_for(key.tenant_id)
    outcome: LeakOutcome = "none"
    if key.revoked_at is None and not (key.expires_at is not None and key.expires_at <= now):
        outcome = await _end(connection, by, key, slot, settings.leaked_keys, now)
    if outcome != "none":
        await record(connection, by, "key.leak", key.id, detail=_detail(outcome, place))
        data = KeyLeaked(
            key_id=key.id,
            key_name=key.name,
            key_shown=f"{key.prefix}…{key.last_four}",
            outcome=outcome,
            url=place.url or None,
            source=place.source or None,
            keys_url=f"{settings.portal_url}/keys/",
        )
        # With the time: a key that is enabled again may leak again
        subject = f"{key.id} {now.isoformat()}"
        notice = Notice(NotificationKind.KEY_LEAKED, key.tenant_id, subject, data, now)
        await enqueue_notices(connection, [notice])
    return LeakedKey(tenant_id=key.tenant_id, key_id=key.id, key_name=key.name, outcome=outcome)


async def _locked(connection: AsyncConnection, slot: bytes) -> Row[tuple[object, ...]] | None:
    """Lock the key whose secret, or earlier secret, this is the hash of."""
    # Each by its own index, as the look-up of a credential: an OR would read every key
    by_hash = union_all(
        select(api_keys.c.tenant_id, api_keys.c.id).where(api_keys.c.secret_hash == slot),
        select(retired_secrets.c.tenant_id, retired_secrets.c.key_id).where(
            retired_secrets.c.secret_hash == slot
        ),
    ).subquery()
    selected = await connection.execute(
        select(api_keys)
        .join(
            by_hash,
            and_(api_keys.c.tenant_id == by_hash.c.tenant_id, api_keys.c.id == by_hash.c.id),
        )
        .with_for_update(of=api_keys)
    )
    return selected.first()


async def _end(
    connection: AsyncConnection,
    by: Principal,
    key: Row[tuple[object, ...]],
    slot: bytes,
    way: Literal["revoke", "disable"],
    now: datetime,
) -> LeakOutcome:
    """End what of a key has leaked, as its row was read."""
    if bytes(key.secret_hash) != slot:
        # It stays known, so that who finds it elsewhere is answered that it was a key
        ended = await connection.execute(
            update(retired_secrets)
            .where(
                retired_secrets.c.tenant_id == by.tenant_id,
                retired_secrets.c.secret_hash == slot,
                retired_secrets.c.works_until > now,
            )
            .values(works_until=now)
        )
        return "secret_ended" if ended.rowcount else "none"
    if way == "revoke":
        await revoke_keys(connection, by, [key.id])
        return "revoked"
    if key.disabled_at is not None:
        return "none"
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == by.tenant_id, api_keys.c.id == key.id)
        .values(disabled_at=func.now())
    )
    return "disabled"


def _detail(outcome: LeakOutcome, place: Place) -> dict[str, object]:
    return {"outcome": outcome, "url": place.url or None, "source": place.source or None}
