"""Holds on hard quotas: each call reserves the most that it can use until its usage is counted.

All replicas share one row a tenant, locked while a call is admitted, so that no two calls reserve
the same units. The use that the row states is at most a second old; newer use is still held. A
hold is deleted when the call's event has been counted, never before: usage is in the one or in
the other, or for a moment in both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    Interval,
    RowMapping,
    Text,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.charges.rate_card import parts_of
from backend.pricing.periods import quarter_hour_of
from backend.quotas.errors import QuotaExhausted
from backend.quotas.use import QuotaUse, current_quotas, exhausted, named, renewed
from backend.storage.database import Database
from backend.storage.tables import events, quota_holds, quota_states
from backend_client.types.accounts import Tenant
from backend_client.types.plan_terms import Quota, QuotaLimit
from backend_client.types.texts import AS_STORED

LAPSE: Final = timedelta(hours=1)
"""How long a hold lasts if its gateway was killed and never settled or released it."""
FRESH: Final = timedelta(seconds=1)
"""How long what is used serves calls after it was read."""

PROMPT_METERS = frozenset({"input_tokens", *parts_of("input_tokens")})
OUTPUT_METERS = frozenset({"output_tokens", *parts_of("output_tokens")})
"""Meters that count a prompt, or an output, or a part of it."""


@dataclass(frozen=True, slots=True)
class CallUnits:
    """What a call can use or has used: tokens of its prompt and of its output."""

    prompt_tokens: int
    output_tokens: int
    requests: int = 1

    @classmethod
    def used(cls, quantities: Mapping[str, Decimal]) -> CallUnits:
        """Return the units of a call that has ended, by its event's quantities."""
        prompt, output = (
            sum(int(quantities.get(meter, 0)) for meter in meters)
            for meters in (PROMPT_METERS, OUTPUT_METERS)
        )
        return cls(prompt, output)

    @property
    def tokens(self) -> int:
        """Tokens of both together."""
        return self.prompt_tokens + self.output_tokens

    def of(self, meters: Collection[str]) -> int:
        """Sum the units in ``meters``; a part of the prompt or output counts as all of it."""
        return (
            (self.prompt_tokens if PROMPT_METERS & set(meters) else 0)
            + (self.output_tokens if OUTPUT_METERS & set(meters) else 0)
            + (self.requests if "requests" in meters else 0)
        )


_RESERVE: Final = (
    text(
        "SELECT reserve_quota(:tenant, :call, :prompt, :output, :now, :fresh, :lapse,"
        " :prompt_meters, :output_meters)"
    )
    .bindparams(
        bindparam("prompt", type_=BigInteger),
        bindparam("output", type_=BigInteger),
        bindparam("now", type_=DateTime(timezone=True)),
        bindparam("fresh", FRESH, type_=Interval),
        bindparam("lapse", LAPSE, type_=Interval),
        bindparam("prompt_meters", sorted(PROMPT_METERS), type_=ARRAY(Text)),
        bindparam("output_meters", sorted(OUTPUT_METERS), type_=ARRAY(Text)),
    )
    .columns(state=JSONB)
)
"""All that ``reserve`` does while what is used was read within the last second."""


class QuotaHolds:
    """Reserves, settles and releases units of tenants' hard quotas.

    ``source`` is that of the calls' events.
    """

    def __init__(self, database: Database, *, source: str) -> None:
        self._database = database
        self._source = source

    async def reserve(self, tenant: Tenant, call_id: str, most: CallUnits, now: datetime) -> None:
        """Reserve ``most`` for a call.

        Raises ``QuotaExhausted``, reserving nothing, if less is left, and ``NotFound`` if the
        tenant has no plan.
        """
        if await self._reserved_at_once(tenant.id, call_id, most, now):
            return
        async with self._database.begin() as connection:
            quotas = await self._current(connection, tenant, now)
            held = await _units_held(connection, tenant.id, now)
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

    async def _reserved_at_once(
        self, tenant_id: str, call_id: str, most: CallUnits, now: datetime
    ) -> bool:
        """Reserve in one statement; return False if what is used has to be read anew first."""
        async with self._database.autocommit() as connection:
            state = await connection.scalar(
                _RESERVE,
                {
                    "tenant": tenant_id,
                    "call": call_id,
                    "prompt": most.prompt_tokens,
                    "output": most.output_tokens,
                    "now": now,
                },
            )
        if state == {}:
            return True
        if state is not None:
            held = CallUnits(*(int(units) for units in state["held"]))
            for use in _from_json(state["quotas"]):
                if use.quota.limit is QuotaLimit.HARD:
                    _require(use, held, most)
        return False

    async def settle(self, tenant_id: str, call_id: str, used: CallUnits) -> None:
        """Lower a hold to what the call has used, until its event is counted; may be repeated."""
        async with self._database.autocommit() as connection:
            await connection.execute(
                update(quota_holds)
                .where(quota_holds.c.tenant_id == tenant_id, quota_holds.c.id == call_id)
                .values(prompt_tokens=used.prompt_tokens, output_tokens=used.output_tokens)
            )

    async def release(self, tenant_id: str, call_id: str) -> None:
        """Delete the hold of a call that was not made."""
        async with self._database.begin() as connection:
            await connection.execute(
                delete(quota_holds).where(
                    quota_holds.c.tenant_id == tenant_id, quota_holds.c.id == call_id
                )
            )

    async def refresh(self, tenant: Tenant, now: datetime) -> None:
        """Read what is used anew, unless it was read within a second before ``now``.

        Raises ``NotFound`` if the tenant has no plan.
        """
        async with self._database.begin() as connection:
            await self._current(connection, tenant, now)

    async def _current(
        self, connection: AsyncConnection, tenant: Tenant, now: datetime
    ) -> list[QuotaUse]:
        """Lock the tenant's row and return its quotas, with what is used of them."""
        state = await _lock(connection, tenant.id)
        taken_at = state["taken_at"]
        if taken_at is not None and _is_fresh(taken_at, now):
            return _from_json(state["quotas"])
        return await self._refresh(connection, tenant, now)

    async def _refresh(
        self, connection: AsyncConnection, tenant: Tenant, now: datetime
    ) -> list[QuotaUse]:
        counted = exists().where(
            events.c.tenant_id == quota_holds.c.tenant_id,
            events.c.sender == "gateway",
            events.c.source == self._source,
            events.c.id == quota_holds.c.id,
        )
        # Before the sums are read: usage whose hold is deleted here is then in them.
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
            .values(taken_at=now, quotas=[_to_json(use) for use in quotas])
        )
        return quotas


def _is_fresh(taken_at: datetime, now: datetime) -> bool:
    """Whether what was read at ``taken_at`` serves a call that began at ``now``.

    What was read after it began is as good, within the billing period, which begins with a quarter
    of an hour: calls that wait for one another would else all read it anew.
    """
    if now < taken_at:
        return quarter_hour_of(now) == quarter_hour_of(taken_at)
    return now < taken_at + FRESH


async def _lock(connection: AsyncConnection, tenant_id: str) -> RowMapping:
    """Lock the tenant's row until the transaction ends."""
    query = select(quota_states).where(quota_states.c.tenant_id == tenant_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        row_to_add = insert(quota_states).values(tenant_id=tenant_id).on_conflict_do_nothing()
        await connection.execute(row_to_add)
        row = (await connection.execute(query)).mappings().one()
    return row


async def _units_held(connection: AsyncConnection, tenant_id: str, now: datetime) -> CallUnits:
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
    quota = named(use)
    raise QuotaExhausted(
        f"This call can use up to {most.of(meters):,} of {quota[0].lower()}{quota[1:]}, and "
        f"{left:,.0f} are left. Lower max_tokens or shorten the prompt. {renewed(use)}."
    )


def _to_json(use: QuotaUse) -> dict[str, Any]:
    return {
        "quota": use.quota.model_dump(mode="json"),
        "used": str(use.used),  # as text: no digit passes through a float
        "resets_at": use.resets_at.isoformat(),
        "of_trial": use.of_trial,
    }


def _from_json(quotas: Sequence[dict[str, Any]]) -> list[QuotaUse]:
    return [
        QuotaUse(
            Quota.model_validate(use["quota"], context=AS_STORED),
            Decimal(use["used"]),
            datetime.fromisoformat(use["resets_at"]),
            use.get("of_trial", False),  # a row of an older version has none
        )
        for use in quotas
    ]
