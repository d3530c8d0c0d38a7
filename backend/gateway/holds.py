"""What a call sets aside before it is made, and gives back when it is over: quota and credit."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Final

from backend.billing.prepayment import Prepayment
from backend.billing.quota_holds import CallUnits, QuotaHolds
from backend.errors import Forbidden, NotFound
from backend.gateway.bounds import limit_output, most_units
from backend.gateway.call import SOURCE, Call
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database

_PROMPT: Final = ("input_tokens", "cached_input_tokens")
_OUTPUT: Final = ("output_tokens", "reasoning_tokens")


class Holds:
    """Takes what a call needs, all or nothing: a refused call uses up no limit."""

    def __init__(self, database: Database) -> None:
        self._quotas = QuotaHolds(database, source=SOURCE)
        self._prepayment = Prepayment(database)

    async def take(self, call: Call) -> None:
        """Hold the most that the call can use, where its tenant's plan has a limit that is hard.

        Raises ``QuotaExhausted``, ``CreditExhausted``, and ``Forbidden`` without a plan.
        """
        model, tenant = call.admitted.model, call.admitted.tenant
        most = most_units(model, call.request, await call.counted_prompt())
        if call.admitted.hard_quota:
            try:
                await self._quotas.hold(tenant, call.event_id, most, call.began)
            except NotFound as error:
                raise Forbidden(error.detail) from error
            call.holds_quota = True
        try:
            call.holds_credit = await self._prepayment.reserve(
                tenant.id, call.event_id, model.id, _by_meter(most), call.began
            )
        except BaseException:
            if call.holds_quota:
                await asyncio.shield(self._quotas.release(tenant.id, call.event_id))
            raise
        if call.holds_quota or call.holds_credit:
            call.request = limit_output(model, call.request)

    async def settle(self, call: Call, event: AcceptedEvent) -> None:
        """Keep what the call's event says that it used, and give back the rest.

        Harmless to repeat. Raises the database's errors.
        """
        used = event.quantities
        if call.holds_quota:
            units = CallUnits(_sum(used, _PROMPT), _sum(used, _OUTPUT))
            await self._quotas.settle(event.tenant_id, call.event_id, units)
        if call.holds_credit:
            await self._prepayment.settle(
                event.tenant_id, call.event_id, event.model, used, call.began
            )


def _by_meter(most: CallUnits) -> dict[str, Decimal]:
    return {
        "requests": Decimal(most.requests),
        "input_tokens": Decimal(most.prompt_tokens),
        "output_tokens": Decimal(most.output_tokens),
    }


def _sum(quantities: dict[str, Decimal], meters: tuple[str, ...]) -> int:
    return int(sum((quantities.get(meter, Decimal(0)) for meter in meters), Decimal(0)))
