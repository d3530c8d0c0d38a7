"""Hard quotas under way: each call holds the most that it can use until its usage is counted.

All replicas share one row a tenant, locked while a call is admitted, so that no two calls are
promised the same units. What the row says was used is at most a second old; what is newer is still
held. A hold goes when the call's event is counted, and never before: usage is in the one or in the
other, or for a moment in both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import RowMapping, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.quotas.use import QuotaExhausted, QuotaUse, current_quotas, exhausted
from backend.storage.database import Database
from backend.storage.tables import events, quota_holds, quota_states
from backend_client.types.accounts import Tenant
from backend_client.types.plan_terms import Quota, QuotaLimit

LAPSE: Final = timedelta(hours=1)
"""How long a hold lasts whose call never said what became of it, since its gateway was killed."""
_FRESH: Final = timedelta(seconds=1)

_PROMPT = frozenset({"input_tokens", "cached_input_tokens"})
_OUTPUT = frozenset({"output_tokens", "reasoning_tokens"})


@dataclass(frozen=True, slots=True)
class CallUnits:
    """What a call can use, or has used: tokens that it sends, and that it is answered."""

    prompt_tokens: int
    output_tokens: int
    requests: int = 1

    def of(self, meters: Collection[str]) -> int:
        """Units in ``meters``; where they are a part of the prompt or of the output, all of it."""
        return (
            (self.prompt_tokens if _PROMPT & set(meters) else 0)
            + (self.output_tokens if _OUTPUT & set(meters) else 0)
            + (self.requests if "requests" in meters else 0)
        )


class QuotaHolds:
    """Holds units of a tenant's hard quotas. ``source`` is that of the calls' events."""

    def __init__(self, database: Database, *, source: str) -> None:
        self._database = database
        self._source = source

    async def reserve(self, tenant: Tenant, call_id: str, most: CallUnits, now: datetime) -> None:
        """Hold ``most`` for a call; raise ``QuotaExhausted``, holding nothing, if it is not left.

        Raises ``NotFound`` if the tenant has no plan.
        """
        async with self._database.begin() as connection:
            state = await _lock(connection, tenant.id)
            taken_at = state["taken_at"]
            if taken_at is not None and taken_at <= now < taken_at + _FRESH:
                quotas = _read(state["quotas"])
            else:
                quotas = await self._look_again(connection, tenant, now)
            held = await _held(connection, tenant.id, now)
            for use in quotas:
                if use.quota.limit is QuotaLimit.HARD:
                    _require(use, held, most)
            await connection.execute(
                insert(quota_holds).values(
                    tenant_id=tenant.id,
                    id=call_id,
                    prompt_tokens=most.prompt_tokens,
                    output_tokens=most.output_tokens,
                    lapses_at=now + LAPSE,
                )
            )

    async def settle(self, tenant_id: str, call_id: str, used: CallUnits) -> None:
        """Hold no more than a call has used, until its event is counted; harmless to repeat."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(quota_holds)
                .where(quota_holds.c.tenant_id == tenant_id, quota_holds.c.id == call_id)
                .values(prompt_tokens=used.prompt_tokens, output_tokens=used.output_tokens)
            )

    async def release(self, tenant_id: str, call_id: str) -> None:
        """Drop the hold of a call that was not made after all."""
        async with self._database.begin() as connection:
            await connection.execute(
                delete(quota_holds).where(
                    quota_holds.c.tenant_id == tenant_id, quota_holds.c.id == call_id
                )
            )

    async def _look_again(
        self, connection: AsyncConnection, tenant: Tenant, now: datetime
    ) -> list[QuotaUse]:
        counted = exists().where(
            events.c.tenant_id == quota_holds.c.tenant_id,
            events.c.source == self._source,
            events.c.id == quota_holds.c.id,
        )
        # First this, then the sums: usage whose hold goes here is in the sums taken after it.
        await connection.execute(
            delete(quota_holds).where(
                quota_holds.c.tenant_id == tenant.id,
                or_(quota_holds.c.lapses_at <= now, counted),
            )
        )
        quotas = await current_quotas(connection, tenant, now)
        await connection.execute(
            update(quota_states)
            .where(quota_states.c.tenant_id == tenant.id)
            .values(taken_at=now, quotas=[_written(use) for use in quotas])
        )
        return quotas


async def _lock(connection: AsyncConnection, tenant_id: str) -> RowMapping:
    """Lock the tenant's row until the transaction ends."""
    query = select(quota_states).where(quota_states.c.tenant_id == tenant_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        made = insert(quota_states).values(tenant_id=tenant_id).on_conflict_do_nothing()
        await connection.execute(made)
        row = (await connection.execute(query)).mappings().one()
    return row


async def _held(connection: AsyncConnection, tenant_id: str, now: datetime) -> CallUnits:
    sums = await connection.execute(
        select(
            func.coalesce(func.sum(quota_holds.c.prompt_tokens), 0),
            func.coalesce(func.sum(quota_holds.c.output_tokens), 0),
            func.count(),
        ).where(quota_holds.c.tenant_id == tenant_id, quota_holds.c.lapses_at > now)
    )
    prompt, output, calls = sums.one()
    return CallUnits(int(prompt), int(output), calls)


def _require(use: QuotaUse, held: CallUnits, most: CallUnits) -> None:
    meters = use.quota.meters
    left = use.remaining - held.of(meters)
    if most.of(meters) <= left:
        return
    if left <= 0:
        raise exhausted(use)
    raise QuotaExhausted(
        f"This call can use up to {most.of(meters):,} of the plan's quota of "
        f"{use.quota.quantity:,.0f} {' and '.join(meters)}, and {left:,.0f} are left. Lower "
        f"max_tokens or shorten the prompt; it starts anew at {use.resets_at:%Y-%m-%d %H:%M} UTC."
    )


def _written(use: QuotaUse) -> dict[str, Any]:
    return {
        "quota": use.quota.model_dump(mode="json"),
        "used": str(use.used),  # as text: no digit passes through a float
        "resets_at": use.resets_at.isoformat(),
    }


def _read(quotas: Sequence[dict[str, Any]]) -> list[QuotaUse]:
    return [
        QuotaUse(
            Quota.model_validate(one["quota"]),
            Decimal(one["used"]),
            datetime.fromisoformat(one["resets_at"]),
        )
        for one in quotas
    ]
