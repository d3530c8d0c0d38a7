"""The holds of a call: reserved before it is made, settled or released when it is over.

They are on the key's limits and the plan's, the plan's hard quotas, and prepaid credit.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from backend.errors import NotFound
from backend.gateway.bounds import limit_output, most_units
from backend.gateway.call import Call
from backend.gateway.errors import NoUsablePlan
from backend.gateway.limits import ALL_KEYS, KeyLimits
from backend.metering.events import GATEWAY_SOURCE, AcceptedEvent
from backend.quotas.reservations import CallUnits, QuotaHolds
from backend.storage.database import Database
from backend.wallets.prepayment import Prepayment

_PROMPT: Final = ("input_tokens", "cached_input_tokens")
_OUTPUT: Final = ("output_tokens", "reasoning_tokens")


class Holds:
    """Reserves what a call needs, all or nothing: a refused call uses up no limit."""

    def __init__(self, database: Database) -> None:
        self._quotas = QuotaHolds(database, source=GATEWAY_SOURCE)
        self._prepayment = Prepayment(database)
        self._limits = KeyLimits(database)

    async def reserve(self, call: Call) -> None:
        """Reserve the most that the call can use, of its key's limits and its tenant's plan.

        The plan's limits apply to all the tenant's calls together. Raises ``KeyLimited``,
        ``QuotaExhausted``, ``CreditExhausted``, and ``Forbidden`` without a plan.
        """
        most = most_units(call.admitted.model, call.request, await call.counted_prompt())
        caller = call.admitted.caller
        tokens = most.prompt_tokens + most.output_tokens
        by_tokens = False
        try:
            for key_id, limits in ((caller.id, caller.limits), (ALL_KEYS, call.admitted.limits)):
                limited = await self._limits.reserve(
                    caller.tenant_id, key_id, call.event_id, limits, tokens
                )
                if limited is not None:
                    call.limited.append(limited)
                    by_tokens = by_tokens or limits.tokens_per_minute is not None
            await self._reserve_of_plan(call, most)
        except BaseException:
            for limited in call.limited:
                await asyncio.shield(self._limits.release(limited))
            raise
        if call.holds_quota or call.holds_credit or by_tokens:
            call.request = limit_output(call.admitted.model, call.request)

    async def _reserve_of_plan(self, call: Call, most: CallUnits) -> None:
        model, tenant = call.admitted.model, call.admitted.tenant
        if call.admitted.hard_quota:
            try:
                await self._quotas.reserve(tenant, call.event_id, most, call.began)
            except NotFound as error:
                raise NoUsablePlan(error.detail) from error
            call.holds_quota = True
        try:
            call.holds_credit = await self._prepayment.reserve(
                tenant.id, call.event_id, model.id, _by_meter(most), call.began
            )
        except BaseException:
            if call.holds_quota:
                await asyncio.shield(self._quotas.release(tenant.id, call.event_id))
            raise

    async def settle(self, call: Call, event: AcceptedEvent) -> None:
        """Settle what the call's event says that it used; the rest is released.

        May be repeated. Raises the database's errors.
        """
        used = event.quantities
        units = CallUnits(_sum(used, _PROMPT), _sum(used, _OUTPUT))
        for limited in call.limited:
            await self._limits.settle(limited, units.prompt_tokens + units.output_tokens)
        if call.holds_quota:
            await self._quotas.settle(event.tenant_id, call.event_id, units)
        if call.holds_credit:
            await self._prepayment.settle(
                event.tenant_id,
                call.event_id,
                event.model,
                used,
                at=call.began,
                now=datetime.now(UTC),
            )

    async def close(self) -> None:
        """Stop renewing the calls under way."""
        await self._limits.close()


def _by_meter(most: CallUnits) -> dict[str, Decimal]:
    return {
        "requests": Decimal(most.requests),
        "input_tokens": Decimal(most.prompt_tokens),
        "output_tokens": Decimal(most.output_tokens),
    }


def _sum(quantities: dict[str, Decimal], meters: tuple[str, ...]) -> int:
    return int(sum((quantities.get(meter, Decimal(0)) for meter in meters), Decimal(0)))
