"""Locks on a tenant's usage: shared for adding, exclusive for changing.

Counting adds, and any number of workers may add at once. A correction, a rebuild and a change of
the declared labels read the usage and change it: they lock the tenant exclusively.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import asyncpg

_CLASS = 0x6661_7265  # "fare" in ASCII: the class of Farebox's advisory locks on usage
_STRIPES = 64
"""Tenants share locks, so that a batch of many tenants takes a bounded number."""

# Lock queues are fair: a waiter is not passed over for ever.
_SHARE = "SELECT pg_advisory_xact_lock_shared($1, stripe) FROM unnest($2::int[]) AS stripe"
_OWN = "SELECT pg_advisory_xact_lock($1, $2)"
_OWN_ALL = "SELECT pg_advisory_xact_lock($1, stripe) FROM generate_series(0, $2::int) AS stripe"
# A tenant can't be removed while its events are being counted.
_TENANTS = "SELECT id FROM tenants WHERE id = ANY($1::text[]) ORDER BY id FOR KEY SHARE"


async def share_tenants(connection: asyncpg.Connection, tenant_ids: Iterable[str]) -> set[str]:
    """Lock tenants for adding, until the transaction ends; return those that exist.

    Later statements see all that other transactions committed before.
    """
    wanted = sorted(tenant_ids)
    await connection.execute(_SHARE, _CLASS, sorted({_stripe(tenant_id) for tenant_id in wanted}))
    return {row["id"] for row in await connection.fetch(_TENANTS, wanted)}


async def own_tenant(connection: asyncpg.Connection, tenant_id: str) -> bool:
    """Lock a tenant for changing, until the transaction ends; return whether it exists."""
    await connection.execute(_OWN, _CLASS, _stripe(tenant_id))
    return bool(await connection.fetch(_TENANTS, [tenant_id]))


async def own_everything(connection: asyncpg.Connection) -> None:
    """Lock all tenants for changing, in the order that all transactions keep."""
    await connection.execute(_OWN_ALL, _CLASS, _STRIPES - 1)


def _stripe(tenant_id: str) -> int:
    return crc32(tenant_id.encode()) % _STRIPES
