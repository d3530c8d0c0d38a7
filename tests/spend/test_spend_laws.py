"""The same events cost the same, however they are split, ordered and repeated on their way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import make_tenant
from tests.support.examples import examples

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
# The plan begins in the middle of a day, so that some of the usage is before it
BEGINS = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 31, 23, 0, tzinfo=UTC)
CENT = Decimal("0.01")

usage = st.lists(
    st.tuples(
        st.integers(0, 30 * 24 * 60),
        st.sampled_from(["large", "small"]),
        st.sampled_from(["input_tokens", "output_tokens"]),
        st.decimals(0, 3_000_000, places=2),
    ),
    max_size=20,
)


def event(
    tenant: Tenant, number: int, minute: int, model: str, meter: str, quantity: Decimal
) -> AcceptedEvent:
    """An event as ingest lets it in; without a key."""
    time = MARCH + timedelta(minutes=minute)
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=str(number),
        time=time,
        received_at=time,
        application_id="app_1",
        model=model,
        quantities={meter: quantity},
    )


def bill_by_hand(events: list[AcceptedEvent]) -> Decimal:
    """The plan "paid" of the catalog, worked out from the events and nothing else."""
    with localcontext(prec=60):
        used = {"input_tokens": Decimal(0), "large output": Decimal(0)}
        for event in events:
            if event.time < BEGINS:
                continue
            for meter, quantity in event.quantities.items():
                if meter == "input_tokens":
                    used["input_tokens"] += quantity
                elif event.model == "large":
                    used["large output"] += quantity
        seconds = Decimal(int((datetime(2026, 4, 1, tzinfo=UTC) - BEGINS).total_seconds()))
        month = 31 * 24 * 3600
        fee = 31 * seconds / month
        tokens = used["input_tokens"] * Decimal("0.15") / 1_000_000
        # The fee's part of the first 100,000 is free, in whole tokens; tiers begin after it
        free = 100_000 * seconds // month
        output = max(Decimal(0), used["large output"] - free)
        dear, cheap = min(output, Decimal(1_000_000)), max(Decimal(0), output - 1_000_000)
        tiers = (dear * 10 + cheap * 5) / 1_000_000
        return sum(
            (line.quantize(CENT, ROUND_HALF_UP) for line in (fee, tokens, tiers)), Decimal(0)
        )


async def metered(
    database: Database, tenant: Tenant, events: list[AcceptedEvent], cuts: list[int]
) -> SpendReport:
    """Count the events in parts, as batches reach the worker, and rate what was counted."""
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "free", MARCH)
        await change_plan(connection, tenant.id, SubscriptionChange(plan="paid", at=BEGINS), BEGINS)
    async with database.raw() as connection:
        for start, end in pairwise([0, *sorted(cuts), len(events)]):
            await count_events(connection, events[start:end])
    async with database.begin() as connection:
        return await spend_report(connection, tenant, NOW)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), used=usage)
async def test_any_split_order_and_repetition_costs_the_same(
    database: Database,
    applied: Catalog,
    data: st.DataObject,
    used: list[tuple[int, str, str, Decimal]],
) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    events = [event(tenant, number, *what) for number, what in enumerate(used)]
    again = [event(other, number, *what) for number, what in enumerate(used)]
    repeated = data.draw(st.lists(st.sampled_from(again), max_size=8)) if again else []
    shuffled = data.draw(st.permutations([*again, *repeated]))
    cuts = data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4))

    at_once = await metered(database, tenant, events, [])
    in_parts = await metered(database, other, shuffled, cuts)

    bill = {"lines", "adjustments", "unpriced", "exact_total", "total"}
    assert at_once.model_dump(include=bill) == in_parts.model_dump(include=bill)
    assert at_once.total.amount == bill_by_hand(events)
