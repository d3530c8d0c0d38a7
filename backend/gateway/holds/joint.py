"""All that a call holds, reserved in one statement and settled in one.

What the statement leaves to be done otherwise is done by the parts' own ways; see ``holds``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from backend.budgets.holds import BudgetHolds
from backend.budgets.owners import BudgetedCall, OwnBudget, budget_period
from backend.errors import NotFound
from backend.gateway.call import Call
from backend.gateway.holds.groups import HoldGroups, Unanswered
from backend.gateway.limits.buckets import Bucket, bucket_headers
from backend.gateway.limits.checks import KeptLimits, check_buckets, too_many_at_once
from backend.gateway.limits.key_limits import KeyLimits, LimitedCall
from backend.metering.events import AcceptedEvent
from backend.quotas.holds import CallUnits, QuotaHolds
from backend.storage.database import Database
from backend.wallets.prepayment import Prepayment
from backend_client.types.limits import RateLimits

Limits = Sequence[KeptLimits]
"""The limits of a call's key, of its application and of its tenant's plan."""

_MOST_REFRESHES: Final = 2
"""Of what is used of a budget and of quotas."""


class JointHolds:
    """Reserves and settles all the holds of a call together; one a process."""

    def __init__(
        self,
        database: Database,
        limits: KeyLimits,
        budgets: BudgetHolds,
        quotas: QuotaHolds,
        prepayment: Prepayment,
    ) -> None:
        self._groups = HoldGroups(database, lease=limits.lease)
        self._limits = limits
        self._budgets = budgets
        self._quotas = quotas
        self._prepayment = prepayment

    async def reserve(
        self, call: Call, limits: Limits, most: CallUnits, by_meter: Mapping[str, Decimal] | None
    ) -> bool:
        """Reserve ``most`` within ``limits``; of budget, quotas and credit too, if by meter.

        Return whether it is decided; if not, nothing is reserved. Raises ``KeyLimited``,
        ``NotFound`` without a plan, and ``Unanswered`` if the call, which then has it all, may have
        reserved it or not.
        """
        ask = {
            "id": call.event_id,
            "at": call.began.isoformat(),
            "limits": [_limit(kept, most) for kept in limits],
        }
        budgeted = None
        if by_meter is not None:
            budgeted = budgeted_call(call)
            ask |= await self._beyond_limits(call, budgeted, most, by_meter)
        if len(ask["limits"]) == 0 and not ask.keys() & {"budget", "quota", "credit"}:
            return True
        tenant_id = call.admitted.caller.tenant_id
        try:
            outcome = await self._groups.hold(tenant_id, ask)
            for _ in range(_MOST_REFRESHES):
                if "stale" not in outcome:
                    break
                await self._refresh(call, budgeted, outcome["stale"])
                outcome = await self._groups.hold(tenant_id, ask)
        except Unanswered:
            call.limited += [perhaps_limited(tenant_id, call.event_id, kept) for kept in limits]
            _note(call, budgeted, ask)
            raise
        if "limited" in outcome:
            _refuse(limits, outcome["limited"], most)
        if "windows" not in outcome:
            return False
        for kept, window in zip(limits, outcome["windows"], strict=True):
            call.limited.append(self._limited(call, kept, window))
        _note(call, budgeted, ask)
        return True

    async def outlast(self, call: Call) -> None:
        """Wait until whatever reserves for a call has ended; raises the database's errors.

        A server, or what stands before it, may close a connection and go on with its statement.
        """
        await self._groups.outlast(
            call.admitted.caller.tenant_id,
            [limited.key_id for limited in call.limited],
            [] if call.budgeted is None else _owners(call.budgeted),
            quota=call.holds_quota,
            credit=call.holds_credit,
        )

    async def settle(self, call: Call, event: AcceptedEvent) -> bool:
        """Settle what the call used, and release the rest; may be repeated.

        Return whether that is all; if not, it is settled by its parts. Raises the database's
        errors.
        """
        used = event.quantities
        units = CallUnits.used(used)
        ask: dict[str, Any] = {
            "id": call.event_id,
            "now": datetime.now(UTC).isoformat(),
            "tokens": units.tokens,
            "limits": [{"key": each.key_id, **_named(each.limits)} for each in call.limited],
        }
        if call.budgeted is not None:
            try:
                cost = await self._budgets.cost(call.budgeted, event.model, used, event.labels)
            except NotFound:  # the plan has ended meanwhile: its hold goes
                return False
            ask |= {"budget": str(cost), "budgeted": _owners(call.budgeted)}
        if call.holds_quota:
            ask["quota"] = [units.prompt_tokens, units.output_tokens]
        if call.holds_credit:
            cost = await self._prepayment.cost(
                event.tenant_id, event.model, used, call.began, event.labels
            )
            ask["credit"] = str(cost)
        outcome = await self._groups.settle(event.tenant_id, ask)
        if "later" in outcome:
            return False
        for each in call.limited:
            self._limits.ended(each)
        return True

    async def _beyond_limits(
        self,
        call: Call,
        budgeted: BudgetedCall | None,
        most: CallUnits,
        by_meter: Mapping[str, Decimal],
    ) -> dict[str, Any]:
        admitted, parts = call.admitted, dict[str, Any]()
        possible = call.possible_labels(most.prompt_tokens)
        if budgeted is not None:
            cost = await self._budgets.greatest_cost(
                budgeted, admitted.model.id, by_meter, possible
            )
            parts["budget"] = [_budget(own, budgeted, cost) for own in budgeted.in_order]
        if admitted.hard_quota:
            parts["quota"] = [most.prompt_tokens, most.output_tokens]
        most_cost = await self._prepayment.greatest_cost(
            admitted.tenant.id, admitted.model.id, by_meter, call.began, possible
        )
        if most_cost is not None:
            parts["credit"] = [admitted.model.id, str(most_cost)]
        return parts

    async def _refresh(self, call: Call, budgeted: BudgetedCall | None, what: str) -> None:
        if what == "budget" and budgeted is not None:
            await self._budgets.refresh(budgeted)
        else:
            await self._quotas.refresh(call.admitted.tenant, call.began)

    def _limited(self, call: Call, kept: KeptLimits, window: Sequence[str | None]) -> LimitedCall:
        headers = bucket_headers(*_buckets(kept.limits, window), kept.whose.owner)
        tenant_id = call.admitted.caller.tenant_id
        limited = LimitedCall(
            tenant_id, kept.key_id, call.event_id, kept.limits, headers, kept.whose
        )
        self._limits.begun(limited)
        return limited


def perhaps_limited(tenant_id: str, call_id: str, kept: KeptLimits) -> LimitedCall:
    """Return the hold that a call may have on a limit, of which its process was told nothing."""
    return LimitedCall(tenant_id, kept.key_id, call_id, kept.limits, {}, kept.whose)


def _note(call: Call, budgeted: BudgetedCall | None, ask: Mapping[str, Any]) -> None:
    """Note what a call holds beside its limits."""
    call.budgeted = budgeted
    call.holds_quota = "quota" in ask
    call.holds_credit = "credit" in ask


def budgeted_call(call: Call) -> BudgetedCall | None:
    """Return a call as its budgets count it; None if there are none."""
    budgets = call.budgets
    return (
        BudgetedCall(call.admitted.tenant, budgets, call.event_id, call.began) if budgets else None
    )


def _owners(budgeted: BudgetedCall) -> list[str]:
    return [own.owner.id for own in budgeted.in_order]


def _budget(own: OwnBudget, budgeted: BudgetedCall, cost: Decimal) -> dict[str, Any]:
    period = budget_period(own.budget, budgeted.tenant, budgeted.made_at)
    return {
        "key": own.owner.id,
        "cost": str(cost),
        "amount": str(own.budget.amount),
        "hard": own.budget.limit == "hard",
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
    }


def _limit(kept: KeptLimits, most: CallUnits) -> dict[str, Any]:
    taken = min(most.tokens, kept.limits.tokens_per_minute or most.tokens)
    return {"key": kept.key_id, "tokens": taken, **_named(kept.limits)}


def _named(limits: RateLimits) -> dict[str, int]:
    return {name: limit for name, limit in limits if limit is not None}


def _buckets(
    limits: RateLimits, window: Sequence[str | None]
) -> tuple[Bucket | None, Bucket | None, datetime]:
    requests, tokens, now = (None if at is None else datetime.fromisoformat(at) for at in window)
    per_minute, in_tokens = limits.requests_per_minute, limits.tokens_per_minute
    if now is None:
        raise ValueError("a window has the time at which it was looked at")
    return (
        None if per_minute is None or requests is None else Bucket(per_minute, requests),
        None if in_tokens is None or tokens is None else Bucket(in_tokens, tokens),
        now,
    )


def _refuse(limits: Limits, refused: Mapping[str, Any], most: CallUnits) -> None:
    """Raise ``KeyLimited`` as the limit that refuses a call does.

    Returns where rounding decides otherwise here: then the limit is looked at once more.
    """
    kept = next(kept for kept in limits if kept.key_id == refused["key"])
    limit = kept.limits
    if refused["concurrent"] and limit.concurrent_requests is not None:
        raise too_many_at_once(kept.whose, limit.concurrent_requests)
    requests, tokens, now = _buckets(limit, refused["window"])
    taken = min(most.tokens, limit.tokens_per_minute or most.tokens)
    check_buckets(kept.whose, requests, tokens, (1, taken), now)
