"""What several pages ask of a tenant's usage: one tab asks, and all tabs get the answer."""

from __future__ import annotations

from datetime import datetime

from backend_client import Unavailable
from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import Subscription
from backend_client.types.usage import Granularity, UsageQuery, UsageReport
from portal.session.guard import Caller
from portal.session.live import shared
from portal.session.polling import ANSWER_SECONDS, REPORT_SECONDS


def start_of_month(now: datetime) -> datetime:
    """The first instant of ``now``'s month, in its own time zone."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def usage_report(caller: Caller, query: UsageQuery) -> UsageReport:
    """The answer to a question about the caller's usage."""

    async def ask() -> UsageReport:
        report = await caller.client.usage.report(**query)
        if report is None:
            raise Unavailable("The API has answered as if it had been asked before.")
        return report

    return await shared(caller, repr(query), ask, fresh_seconds=REPORT_SECONDS)


async def usage_of_month(caller: Caller, now: datetime) -> UsageReport:
    """The usage of the month by day."""
    return await usage_report(
        caller, {"start": start_of_month(now), "granularity": Granularity.DAY}
    )


async def spend_report(caller: Caller) -> SpendReport:
    """What the running period has cost so far."""
    ask = caller.client.spend.report
    return await shared(caller, "spend", ask, fresh_seconds=ANSWER_SECONDS)


async def subscription(caller: Caller) -> Subscription:
    """The plan that the caller's tenant is on."""
    ask = caller.client.subscription.get
    return await shared(caller, "subscription", ask, fresh_seconds=ANSWER_SECONDS)
