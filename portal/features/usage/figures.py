"""The figures that the usage page shows. One tab asks the API, and all tabs get the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from backend_client.types.calls import CallsReport
from backend_client.types.cost import CostReport
from portal.features.usage.choices import TIMES, UsageChoice
from portal.features.usage.measured import (
    Measured,
    of_calls,
    of_cost,
    of_usage,
    percentile_of,
)
from portal.features.usage.question import UsageQuestion, the_time_before
from portal.features.usage.rows import moved
from portal.session import polling
from portal.session.guard import Caller
from portal.session.live import shared
from portal.shared.usage import usage_report

CALLS_SECONDS = 5.0
"""How often the gateway adds what it measures."""
DRAWN_SECONDS = 1.0
"""For how long what was made of that is shown to other tabs."""


@dataclass
class Figures:
    """What was measured, in all and in the time before; None of times without a call.

    ``pictures`` are what was made of it, by what they were made with.
    """

    measured: Measured
    total: Decimal | None
    total_before: Decimal | None
    before: list[tuple[datetime, Decimal]]
    pictures: dict[Hashable, Any] = field(default_factory=dict)


async def ask(
    caller: Caller, choice: UsageChoice, question: UsageQuestion, *, now: datetime
) -> Figures:
    """What is chosen, and the time before it; the same for all tabs that show the same."""

    async def measure() -> Figures:
        return await _ask(caller, choice, question, now=now)

    what = ("shown", repr(choice), repr(question))
    if choice.of_calls:
        return await shared(caller, what, measure, fresh_seconds=DRAWN_SECONDS, of_usage=False)
    return await shared(caller, what, measure, fresh_seconds=polling.REPORT_SECONDS)


async def _ask(
    caller: Caller, choice: UsageChoice, question: UsageQuestion, *, now: datetime
) -> Figures:
    earlier = the_time_before(question, now=now)
    measured, before = await asyncio.gather(
        _measured(caller, choice, question), _measured(caller, choice, earlier)
    )
    total: Decimal | None = measured.total
    total_before: Decimal | None = before.total
    if choice.show in TIMES:
        total, total_before = [
            percentile_of(report, choice.show)
            for report in await asyncio.gather(
                _calls(caller, question.whole), _calls(caller, earlier.whole)
            )
        ]
    return Figures(measured, total, total_before, moved(before, earlier.start, question.start))


async def _measured(caller: Caller, choice: UsageChoice, question: UsageQuestion) -> Measured:
    splits = question.group_by
    if choice.of_calls:
        return of_calls(await _calls(caller, question), splits, show=choice.show)
    if choice.show == "cost":
        return of_cost(await _cost(caller, question), splits)
    report = await usage_report(caller, question.usage)
    return of_usage(report, splits, show=choice.show, meter=choice.meter)


async def _calls(caller: Caller, question: UsageQuestion) -> CallsReport:
    query = question.calls

    async def send() -> CallsReport:
        return await caller.client.usage.calls(**query)

    # It changes without the usage: refused calls are none
    return await shared(
        caller, ("calls", repr(query)), send, fresh_seconds=CALLS_SECONDS, of_usage=False
    )


async def _cost(caller: Caller, question: UsageQuestion) -> CostReport:
    query = question.cost

    async def send() -> CostReport:
        return await caller.client.usage.cost(**query)

    return await shared(caller, ("cost", repr(query)), send, fresh_seconds=polling.REPORT_SECONDS)
