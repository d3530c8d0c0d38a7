"""The holds of a call: reserved before it is made, settled or released when it is over.

They are on the limits of the key, the application and the plan, the budgets of key, application and
labels, the plan's hard quotas, and prepaid credit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import structlog

from backend.budgets.holds import BudgetHolds
from backend.errors import BudgetExhausted, FareboxError, NotFound
from backend.gateway.call import Call
from backend.gateway.errors import KeyLimited, NoUsablePlan
from backend.gateway.holds.bounds import most_units
from backend.gateway.holds.joint import JointHolds, Limits, budgeted_call, perhaps_limited
from backend.gateway.holds.settlements import Settlements
from backend.gateway.limits.checks import KeptLimits
from backend.gateway.limits.key_limits import KeyLimits
from backend.gateway.protocols.parts.base import Asked
from backend.kit.backoff import pauses
from backend.kit.periodic import OUTAGES, wait
from backend.metering.events import GATEWAY_SOURCE, AcceptedEvent
from backend.quotas.errors import QuotaExhausted
from backend.quotas.holds import CallUnits, QuotaHolds
from backend.storage.database import Database
from backend.storage.outages import is_outage
from backend.wallets.errors import CreditExhausted
from backend.wallets.prepayment import Prepayment

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0
_SETTLED_WITHIN_SECONDS: Final = 5.0
"""How long a call that lacks something waits for those that are being settled."""


class Holds:
    """Reserves what a call needs, all or nothing: a refused call uses up no limit."""

    def __init__(self, database: Database) -> None:
        self._quotas = QuotaHolds(database, source=GATEWAY_SOURCE)
        self._budgets = BudgetHolds(database, source=GATEWAY_SOURCE)
        self._prepayment = Prepayment(database)
        self._limits = KeyLimits(database)
        self._together = JointHolds(
            database, self._limits, self._budgets, self._quotas, self._prepayment
        )
        self._settlements = Settlements()
        self._undoing: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def reserve(self, call: Call) -> None:
        """Reserve the most that the call can use, of its key's limits and its tenant's plan.

        The plan's limits apply to all the tenant's calls together, the application's to all of its
        own. What is missing may be held by
        calls of the tenant that are being settled in this process: these are waited for, and it is
        tried once more. Raises ``KeyLimited``, ``BudgetExhausted``, ``QuotaExhausted``,
        ``CreditExhausted``, and ``Forbidden`` without a plan.
        """
        if not await self._is_bounded(call) and not call.admitted.kept_limits:
            return
        tenant_id = call.admitted.caller.tenant_id
        # Also from before: one that ended between the refusal and here has left room as well
        settling = self._settlements.of(tenant_id)
        try:
            await self._reserve_or_undo(call)
        except (KeyLimited, BudgetExhausted, QuotaExhausted, CreditExhausted) as refusal:
            settling |= self._settlements.of(tenant_id)
            if not settling or not _held_by_calls(refusal):
                raise
        else:
            return
        await asyncio.wait(settling, timeout=_SETTLED_WITHIN_SECONDS)
        await self._reserve_or_undo(call)

    def settling(self, call: Call) -> AbstractContextManager[None]:
        """Let calls that lack something wait for the end of the block: this call is settled in it.

        It begins before the caller has its answer.
        """
        return self._settlements.settling(call.admitted.caller.tenant_id)

    async def _reserve_or_undo(self, call: Call) -> None:
        """Reserve in a task that is never canceled, and release it all if the caller is.

        A transaction that is canceled while it commits may be stored or not, and its hold would be
        nobody's to release.
        """
        reserving = asyncio.create_task(self._reserve(call))
        try:
            await asyncio.shield(reserving)
        except asyncio.CancelledError:
            await asyncio.wait({self._keep(self._undo(reserving, call))})
            raise

    def _keep(self, undo: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``undo`` in a task that ``close`` waits for."""
        undoing = asyncio.create_task(undo)
        self._undoing.add(undoing)
        undoing.add_done_callback(self._undoing.discard)
        return undoing

    async def _undo(self, reserving: asyncio.Task[None], call: Call) -> None:
        await asyncio.wait({reserving})
        if reserving.exception() is not None:
            return  # it has released what it had, or is about to
        if not await self._released(call):
            self._keep(self._undo_when_back(call))

    async def _undo_when_back(self, call: Call) -> None:
        """Release what a call holds, or may hold, once PostgreSQL is there again."""
        for pause in pauses(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS):
            if await self._released(call, left=True) or self._closing.is_set():
                return
            await wait(pause, self._closing)

    async def _released(self, call: Call, *, left: bool = False) -> bool:
        try:
            if left and _holds_anything(call):
                await self._together.outlast(call)
            await self._release(call)
        except OUTAGES as error:
            # They lapse within the hour if this process ends before
            _log.warning("gateway.not_released", call=call.event_id, error=repr(error))
            return False
        return True

    async def _reserve(self, call: Call) -> None:
        limits: Limits = call.admitted.kept_limits
        try:
            if not await self._is_bounded(call):
                await self._reserve_all(call, limits, None)
                return
            if limits and not call.is_short:
                # A call that the limits of requests refuse costs no long count
                await self._reserve_all(call, limits, None)
                most = await _most_units(call)
                for hold in call.limited:
                    await self._limits.reserve_tokens(hold, most.tokens)
                limits = []
            else:
                most = await _most_units(call)
            await self._reserve_all(call, limits, most)
        except BaseException as error:
            if is_outage(error):  # for which its caller does not wait
                self._keep(self._undo_when_back(call))
            else:
                await self._release(call)
            raise
        call.output_cap = call.admitted.model.max_output_tokens

    async def _reserve_all(self, call: Call, limits: Limits, most: CallUnits | None) -> None:
        """Reserve within ``limits``, and ``most`` of what depends on how much the call can use."""
        by_meter = None if most is None else _by_meter(call.asked, most)
        try:
            units = most or CallUnits(0, 0)
            if await self._together.reserve(call, limits, units, by_meter):
                return
        except NotFound as error:
            raise NoUsablePlan(error.detail) from error
        for kept in limits:
            await self._reserve_of_limits(call, kept, most)
        if most is not None:
            await self._reserve_of_budget(call, most)
            await self._reserve_of_plan(call, most)

    async def _is_bounded(self, call: Call) -> bool:
        """Whether anything depends on how much the call can use."""
        admitted = call.admitted
        return (
            admitted.hard_quota
            or len(call.budgets) > 0
            or any(kept.limits.tokens_per_minute is not None for kept in admitted.kept_limits)
            or await self._prepayment.applies(admitted.tenant.id, call.began)
        )

    async def _reserve_of_limits(
        self, call: Call, kept: KeptLimits, most: CallUnits | None
    ) -> None:
        tenant_id, call_id = call.admitted.caller.tenant_id, call.event_id
        tokens = 0 if most is None else most.tokens
        try:
            limited = await self._limits.reserve(
                tenant_id, kept.key_id, call_id, kept.limits, tokens, whose=kept.whose
            )
        except Exception as error:
            if is_outage(error):  # at its commit: it may be stored all the same
                call.limited.append(perhaps_limited(tenant_id, call_id, kept))
            raise
        if limited is not None:
            call.limited.append(limited)

    async def _release(self, call: Call) -> None:
        """Release all that the call holds, of which it will use nothing."""
        if call.holds_credit:
            now = datetime.now(UTC)
            await self._prepayment.release(call.admitted.tenant.id, call.event_id, now)
            call.holds_credit = False
        if call.holds_quota:
            await self._quotas.release(call.admitted.tenant.id, call.event_id)
            call.holds_quota = False
        if call.budgeted is not None:
            await self._budgets.release(call.budgeted)
            call.budgeted = None
        while call.limited:
            await self._limits.release(call.limited[-1])
            call.limited.pop()

    async def _reserve_of_budget(self, call: Call, most: CallUnits) -> None:
        budgeted = budgeted_call(call)
        if budgeted is None:
            return
        try:
            await self._budgets.reserve(
                budgeted,
                call.admitted.model.id,
                _by_meter(call.asked, most),
                possible=call.possible_labels(most.prompt_tokens),
            )
        except NotFound as error:
            raise NoUsablePlan(error.detail) from error
        except Exception as error:
            if is_outage(error):
                call.budgeted = budgeted
            raise
        call.budgeted = budgeted

    async def _reserve_of_plan(self, call: Call, most: CallUnits) -> None:
        model, tenant = call.admitted.model, call.admitted.tenant
        if call.admitted.hard_quota:
            try:
                await self._quotas.reserve(tenant, call.event_id, most, call.began)
            except NotFound as error:
                raise NoUsablePlan(error.detail) from error
            except Exception as error:
                call.holds_quota = is_outage(error)
                raise
            call.holds_quota = True
        try:
            call.holds_credit = await self._prepayment.reserve(
                tenant.id,
                call.event_id,
                model.id,
                _by_meter(call.asked, most),
                call.began,
                possible=call.possible_labels(most.prompt_tokens),
            )
        except Exception as error:
            call.holds_credit = is_outage(error)
            raise

    async def settle(self, call: Call, event: AcceptedEvent) -> None:
        """Settle what the call's event says that it used; the rest is released.

        May be repeated. Raises the database's errors.
        """
        if not _holds_anything(call) or await self._together.settle(call, event):
            return
        used = event.quantities
        units = CallUnits.used(used)
        for limited in call.limited:
            await self._limits.settle(limited, units.tokens)
        if call.budgeted is not None:
            await self._budgets.settle(call.budgeted, event.model, used, event.labels)
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
                labels=event.labels,
            )

    async def close(self) -> None:
        """Release what canceled calls hold, and stop renewing the calls under way."""
        self._closing.set()
        if self._undoing:
            await asyncio.wait(self._undoing)
        await self._limits.close()


def _holds_anything(call: Call) -> bool:
    budgeted = call.budgeted is not None
    return bool(call.limited) or budgeted or call.holds_quota or call.holds_credit


def _held_by_calls(refusal: FareboxError) -> bool:
    """Whether calls that are settled leave more of what is missing."""
    return not isinstance(refusal, KeyLimited) or refusal.held_by_calls


async def _most_units(call: Call) -> CallUnits:
    return most_units(call.admitted.model, call.asked, await call.counted_prompt())


def _by_meter(asked: Asked, most: CallUnits) -> dict[str, Decimal]:
    return {
        "requests": Decimal(most.requests),
        asked.prompt_meter: Decimal(most.prompt_tokens),
        asked.output_meter: Decimal(most.output_tokens),
        **{meter: Decimal(units) for meter, units in asked.units.items()},
    }
