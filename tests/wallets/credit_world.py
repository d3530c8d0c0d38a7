"""The world that the tenants of the year of credit live in: its calendar, its worker, its bills."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import asyncpg

from backend.invoices.runs.runs import anything_due, begin_run, end_run, work
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.worker import keep_wallets

if TYPE_CHECKING:
    from tests.wallets.credit_story import Actor

GRACE = timedelta(hours=24)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Act = Callable[[datetime], Awaitable[None]]


@dataclass
class World:
    """What is to happen, in the order of its time; ``counts`` says what did."""

    database: Database
    settings: Settings
    meter: asyncpg.Connection
    to_come: list[tuple[datetime, int, Act]] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    uncounted: list[AcceptedEvent] = field(default_factory=list)
    _number: int = 0

    def at(self, moment: datetime, act: Act) -> None:
        # No two acts at one instant: what came first would be a guess
        self._number += 1
        heappush(self.to_come, (moment + timedelta(microseconds=self._number), self._number, act))

    async def live(self) -> None:
        while self.to_come:
            now, _, act = heappop(self.to_come)
            await act(now)
        await self.count()

    async def count(self) -> None:
        """Count what came in, in one batch, as the worker does: before anything reads events."""
        await count_events(self.meter, self.uncounted)
        self.uncounted.clear()

    async def sweep(self, now: datetime) -> None:
        """What the worker does each half minute, here some times a day."""
        if any(actor.life.purse.lapsed(now) for actor in self.actors):
            await self.count()
        await keep_wallets(self.database, now)
        for actor in self.actors:
            if actor.life.purse.sweep(now):
                actor.remember(now)

    async def bill(self, now: datetime) -> None:
        await self.count()
        if await anything_due(self.database, self.settings, now, failed_too=True):
            run = await begin_run(self.database, self.settings, now)
            await work(self.database, self.settings, run, asyncio.Event())
            done = await end_run(self.database, self.settings, run, now)
            assert (done.state, done.failed) == ("finished", 0)
        for actor in self.actors:
            if actor.life.close(now, GRACE):
                actor.remember(now)


def plan_the_year(actor: Actor, number: int, new_year: datetime) -> None:
    """Put a tenant's year into the world's calendar."""
    world, dice = actor.world, actor.dice
    begins = new_year + timedelta(minutes=dice.below(20 * 1440), seconds=dice.below(60))
    plan = dice.one_of("spot", "spot", "pro", "metered")
    world.at(begins, partial(actor.begin, plan))
    year = 355 * 1440

    def some(acts: int, act: Act) -> None:
        for _ in range(acts):
            after = begins + timedelta(minutes=5 + dice.below(year), seconds=dice.below(60))
            if after < new_year + 360 * DAY:
                world.at(after, act)

    some(8, actor.call)
    for _ in range(4):  # bursts, which empty the wallet
        at = begins + timedelta(minutes=5 + dice.below(year))
        for step in range(7):
            world.at(at + timedelta(minutes=11 * step), actor.call)
    # Under way where a period ends
    for start, _ in actor.life.periods[2:13:3]:
        world.at(start - timedelta(seconds=30 + dice.below(60)), actor.call)
    some(4, actor.outside)
    some(2, actor.give)
    some(1, actor.ask)
    if number % 4:
        some(2, actor.set_rule)
    for _ in range(2 + dice.below(4)):
        world.at(begins + timedelta(minutes=90 + dice.below(year)), actor.change)
