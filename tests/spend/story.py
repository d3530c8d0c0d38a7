"""What a tenant of the year of bills does, and what the oracle is told of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from backend.pricing.periods import next_quarter_hour
from backend.storage.database import Database
from backend.subscriptions.changes import cancel, change_plan, pause, resume
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import (
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)
from tests.spend.oracle import TRIALS, Dice, Life, Standing


class Story:
    """What the test knows of a tenant's subscription, to be told to the oracle."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.plan: str | None = None
        self.seats = 1
        self.paused = False
        self.had: set[str] = set()
        self.tried = False
        self.trial_until: datetime | None = None

    def subscribe(self, at: datetime, plan: str, seats: int) -> None:
        # What was to come after a trial is no more
        self.life.standings = [standing for standing in self.life.standings if standing.since < at]
        goes_on = self.plan == plan and self.trial_until is not None and at < self.trial_until
        if plan in TRIALS and plan not in self.had and not self.tried:
            self.trial_until, goes_on, self.tried = at + timedelta(days=TRIALS[plan]), True, True
        elif not goes_on or self.paused:
            goes_on, self.trial_until = False, None
        self.life.standings.append(Standing(at, plan, seats, goes_on))
        if goes_on and self.trial_until is not None:
            self.life.standings.append(Standing(self.trial_until, plan, seats))
        self.had.add(plan)
        self.plan, self.seats, self.paused = plan, seats, False

    def stop(self, at: datetime, *, paused: bool) -> None:
        self.life.standings = [standing for standing in self.life.standings if standing.since < at]
        self.life.standings.append(Standing(at, None, paused=paused))
        self.trial_until = None
        self.paused = paused
        if not paused:
            self.plan = None

    def resume(self, at: datetime) -> None:
        self.life.standings.append(Standing(at, self.plan, self.seats))
        self.paused = False


async def act(database: Database, tenant: Tenant, story: Story, dice: Dice, now: datetime) -> None:
    at = next_quarter_hour(now)
    what = dice.below(10)
    async with database.begin() as connection:
        if story.paused and what < 6:
            await resume(connection, tenant.id, now)
            story.resume(at)
        elif what == 0 and story.plan is not None and not story.paused:
            await pause(connection, tenant.id, SubscriptionPause(), now)
            story.stop(at, paused=True)
        elif what == 1 and story.plan is not None:
            await cancel(connection, tenant.id, SubscriptionCancel(when="now"), now)
            story.stop(at, paused=False)
        else:
            plan = dice.one_of("free", "metered", "team", "team", "yearly", "yearly", "yearly")
            seats = 1 + dice.below(9)
            wanted = SubscriptionChange(plan=plan, seats=seats)
            await change_plan(connection, tenant.id, wanted, now)
            story.subscribe(at, plan, seats)
