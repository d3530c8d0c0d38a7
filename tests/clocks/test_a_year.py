"""A year on a test clock, in random steps: every invoice is what brute force makes of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from backend.catalog.published import apply_catalog
from backend.clocks.clocks import FARTHEST_STEP
from backend.metering.events import AcceptedEvent
from backend.pricing.periods import quarter_hour_of
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.test_clocks import TestClockState
from tests.clocks.world import advance_to, on_clock
from tests.spend.oracle import PLANS, Dice, Life, Use
from tests.spend.story import Story, act
from tests.support.billing import catalog_with
from tests.support.invoices import count, invoices_of

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

YEAR = 2028
LIVES = (("America/St_Johns", 31), ("Pacific/Auckland", 15))


@pytest.mark.parametrize("number", range(len(LIVES)))
async def test_a_year_in_random_steps_is_invoiced_as_by_hand(
    database: Database, number: int
) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS))
    dice, life = Dice(f"clock {number}"), Life(*LIVES[number])
    settings = Settings(invoice_grace_hours=24, dunning={})  # a stop less for each of its steps
    tenant = await _live(database, settings, dice, life)
    asked: defaultdict[datetime, Fraction] = defaultdict(Fraction)
    for invoice in await invoices_of(database, tenant):
        if invoice["kind"] == "period":  # the last of a subscription that ended comes before
            assert invoice["issued_at"] == invoice["period_end"] + timedelta(hours=24)
        asked[invoice["period_start"]] += Fraction(invoice["subtotal"])
    by_hand = {start: life.bill(start, end) for start, end in life.periods(YEAR)}
    assert asked == {start: amount for start, amount in by_hand.items() if amount}
    assert len(asked) > 6


async def _live(database: Database, settings: Settings, dice: Dice, life: Life) -> Tenant:
    """Have a tenant change plans, pause and use tokens where its clock has come to."""
    periods = life.periods(YEAR)
    now = periods[0][0] + timedelta(minutes=dice.below(20 * 1440))
    tenant = await on_clock(database, now, "metered", zone=life.zone, anchor=life.anchor)
    story = Story(life)
    story.subscribe(quarter_hour_of(now), "metered", 1)
    minutes = 320 * 1440
    acts = sorted(now + timedelta(minutes=dice.below(minutes)) for _ in range(6))
    stops = sorted(now + timedelta(minutes=dice.below(minutes)) for _ in range(6))
    ends = [end for _, end in periods]
    for at in sorted([*acts, *stops, *ends]):
        while now < at:
            before, now = now, min(at, now + FARTHEST_STEP - timedelta(minutes=dice.below(1440)))
            clock = await advance_to(database, settings, tenant, now)
            assert (clock.state, clock.at) == (TestClockState.READY, now), clock.problem
            await _use(database, tenant, dice, life, before, now)
        if at in acts:
            await act(database, tenant, story, dice, at)
    await advance_to(database, settings, tenant, ends[-1] + timedelta(days=2))
    return tenant


async def _use(
    database: Database, tenant: Tenant, dice: Dice, life: Life, start: datetime, end: datetime
) -> None:
    """Use tokens in the step that was just made: no step leaves a period whose grace is over."""
    for _ in range(3):
        at = start + timedelta(seconds=dice.below(max(int((end - start).total_seconds()), 1)))
        meter = dice.one_of("input_tokens", "output_tokens")
        use = Use(at, meter, dice.one_of(7, 99_999, 1_000_000) + dice.below(400_000))
        life.uses.append(use)
        event = AcceptedEvent(
            tenant_id=tenant.id,
            source="year",
            id=str(len(life.uses)),
            time=use.at,
            received_at=use.at,
            application_id="app_1",
            model="large",
            quantities={use.meter: Decimal(use.tokens)},
        )
        await count(database, [event])
