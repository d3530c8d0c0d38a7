"""A year of prepaid and granted tenants, lived on the product and by hand in one breath.

Each act is done on the product and told to the oracle; what the product answers at once (a refusal,
what a call took) is compared at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial

from backend.metering.counting.corrections import Amended, CorrectionWanted
from backend.metering.events import AcceptedEvent
from backend.pricing.periods import next_quarter_hour, quarter_hour_of
from backend.storage.database import Database
from backend.subscriptions.changes import cancel, change_plan, pause, resume, start_subscription
from backend.subscriptions.periods import set_anchor
from backend.wallets.corrections import correct_events
from backend.wallets.errors import CreditExhausted
from backend.wallets.grants import add_grant, refund_grant
from backend.wallets.prepayment import Prepayment
from backend.wallets.queries import list_top_ups, set_wallet
from backend.wallets.top_ups import ask_for_top_up, finish_top_up, refresh_and_check
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import (
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)
from backend_client.types.wallets import (
    CreditGrantCreate,
    TopUpCreate,
    TopUpOutcome,
    TopUpRule,
    WalletSettings,
)
from tests.spend.oracle import Dice
from tests.wallets.credit_bills import Life, Use
from tests.wallets.credit_oracle import Bought, Pot
from tests.wallets.credit_world import DAY, HOUR, World

GATEWAY = "farebox://gateway"


@dataclass
class Actor:
    """One tenant; ``scale`` is what a dollar's worth is in its currency."""

    world: World
    tenant: Tenant
    life: Life
    dice: Dice
    scale: int
    calls: int = 0
    finishing: bool = False

    @property
    def database(self) -> Database:
        return self.world.database

    def money(self, cents: int) -> Fraction:
        return Fraction(cents * self.scale, 100)

    def remember(self, now: datetime) -> None:
        self.life.purse.remember(now)
        if not self.finishing and any(
            purchase.state == "pending" for purchase in self.life.purse.bought
        ):
            self.finishing = True
            quickly, later = 3 + self.dice.below(15), 30 + self.dice.below(2 * 1440)
            soon = self.dice.one_of(quickly, quickly, later)
            self.world.at(now + timedelta(minutes=soon), self.finish)

    # The subscription

    async def begin(self, plan: str, now: datetime) -> None:
        async with self.database.begin() as connection:
            await set_anchor(connection, self.tenant, self.life.anchor, now)
            await start_subscription(connection, self.tenant.id, plan, now)
        self.life.choose(plan, quarter_hour_of(now))

    async def change(self, now: datetime) -> None:
        at = next_quarter_hour(now)
        standing, what = self.life.on(at), self.dice.below(10)
        if standing != self.life.on(now):
            return  # it is about to change
        async with self.database.begin() as connection:
            if standing.paused and what < 8:
                await resume(connection, self.tenant.id, now)
                self.life.resume(at)
            elif standing.plan is not None and not standing.paused and what == 0:
                await pause(connection, self.tenant.id, SubscriptionPause(), now)
                self.life.pause(at)
            elif standing.plan is not None and what < 3:
                wanted = SubscriptionCancel(when="now" if what == 1 else "period_end")
                await cancel(connection, self.tenant.id, wanted, now)
                self.life.stop(at if what == 1 else self.life.period(now)[1])
            else:
                plan = self.dice.one_of("spot", "spot", "pro", "metered")
                await change_plan(connection, self.tenant.id, SubscriptionChange(plan=plan), now)
                self.life.choose(plan, at)
                self.world.counts[f"to {plan}"] += 1
        if self.life.on(at).plan is None or self.life.on(at).paused:
            self.world.at(now + DAY * (3 + self.dice.below(20)), self.change)

    # Calls

    async def call(self, now: datetime) -> None:
        """Reserve the most that a call can use, as the gateway does; it ends later."""
        standing = self.life.on(now)
        if standing.plan is None or standing.paused:
            return  # the gateway lets none through
        self.calls += 1
        name = f"req_{self.calls}"
        model = self.dice.one_of("large", "large", "small")
        read, said = 500 + self.dice.below(600_000), 100 + self.dice.below(350_000)
        most = {"requests": 1, "input_tokens": read, "output_tokens": said}
        expected = "free"
        if self.life.prepaid(now):
            cost = self.life.most(model, read, said, now)
            fits = self.life.purse.reserve(name, model, cost, now)
            expected = "held" if fits else "refused"
        # A gateway of its own: what one remembers for a second is days here
        gateway = Prepayment(self.database)
        try:
            prepaid = await gateway.reserve(self.tenant.id, name, model, _exact(most), now)
            outcome = "held" if prepaid else "free"
        except CreditExhausted:
            outcome = "refused"
        assert outcome == expected, (self.tenant.id, now, standing)
        self.world.counts[outcome] += 1
        self.remember(now)
        if outcome != "refused":
            self._schedule_the_end(now, name, model, (read, said), gateway if prepaid else None)

    def _schedule_the_end(
        self,
        now: datetime,
        name: str,
        model: str,
        most: tuple[int, int],
        gateway: Prepayment | None,
    ) -> None:
        dice, fate = self.dice, self.dice.below(16)
        factor = 10 if fate in (0, 5) else 1  # the provider said more than it was asked to
        cached, thought = dice.below(most[0]), dice.below(most[1])
        quantities = {
            "requests": 1,
            "input_tokens": dice.below(most[0] - cached + 1) * factor,
            "cached_input_tokens": cached,
            "output_tokens": dice.below(most[1] - thought + 1) * factor,
            "reasoning_tokens": thought,
        }
        if fate == 1:
            quantities = {"requests": 0}  # the provider failed
        end = now + timedelta(seconds=1 + dice.below(900))
        if fate in (2, 3):  # the gateway was killed, and at last its like settles, or never does
            end = now + HOUR * (2 + dice.below(30))
        use = Use(now, model, quantities)
        if gateway is not None and fate == 4:
            self.world.at(end, partial(self.let_go, name, gateway))
            return
        if gateway is not None and fate != 3:
            self.world.at(end, partial(self.settle, name, use, gateway))
        self.life.uses[name] = use
        # Counted soon, or days later, after its period's invoice it may be
        lag = DAY * dice.below(25) if dice.below(8) == 0 else timedelta(seconds=dice.below(7200))
        self.world.at(end + lag, partial(self.count, name, use))
        # Of calls that are invoiced all, so that some invoices are below zero
        if dice.below(6) == 0 or gateway is None:
            later = end + lag + timedelta(minutes=1 + dice.below(20 * 1440))
            self.world.at(later, partial(self.correct, name, use))

    async def settle(self, name: str, use: Use, gateway: Prepayment, now: datetime) -> None:
        held = self.life.purse.held[name]
        lapsed = held.state == "released"
        cost = self.life.cost(use.model, use.quantities, use.at)
        used = self.life.purse.settle(name, cost, now)
        again = self.dice.below(5) == 0
        if again:  # does nothing again, but what came back to a grant that is over expires
            self.life.purse.up_to(now)
        for _ in range(1 + again):
            await gateway.settle(
                self.tenant.id, name, use.model, _exact(use.quantities), use.at, now
            )
        self.world.counts["settled"] += 1
        self.world.counts["lapsed and paid after all"] += lapsed
        self.world.counts["uncovered"] += used < cost
        self.remember(now)

    async def let_go(self, name: str, gateway: Prepayment, now: datetime) -> None:
        self.life.purse.release(name, now)
        await gateway.release(self.tenant.id, name, now)
        self.remember(now)

    async def count(self, name: str, use: Use, now: datetime) -> None:
        use.counted_at = now
        event = AcceptedEvent(
            tenant_id=self.tenant.id,
            source=GATEWAY,
            id=name,
            time=use.at,
            received_at=now,
            application_id="app_1",
            model=use.model,
            quantities=_exact(use.quantities),
        )
        self.world.uncounted.append(event)

    async def outside(self, now: datetime) -> None:
        """Usage that no call told of: an event that the tenant's own service sent late."""
        used_at = now - timedelta(minutes=self.dice.below(40 * 1440))
        if used_at < min(standing.since for standing in self.life.standings):
            return
        use = Use(used_at, "large", {"input_tokens": 1000 + self.dice.below(300_000)})
        name = f"out-{now.isoformat()}"
        self.life.uses[name] = use
        await self.count(name, use, now)
        self.world.counts["outside"] += 1

    async def correct(self, name: str, use: Use, now: datetime) -> None:
        """Void a call's event, or say that it used something else."""
        mine = (self.tenant.id, name)
        if any((event.tenant_id, event.id) == mine for event in self.world.uncounted):
            await self.world.count()
        void = self.dice.below(3) == 0
        quantities = {} if void else {"requests": 1, "output_tokens": self.dice.below(70_000)}
        use.quantities = quantities
        held = self.life.purse.held.get(name)
        if held is not None:
            cost = self.life.cost(use.model, quantities, use.at)
            self.world.counts["given back"] += cost < held.used
            self.life.purse.correct(name, cost, now)
        data = Amended(application_id="app_1", model=use.model, quantities=_exact(quantities))
        wanted = CorrectionWanted(
            id=f"fix {name} {now.isoformat()}",
            event_source=GATEWAY,
            event_id=name,
            data=None if void else data,
            reason="it was wrong",
            actor="operator",
        )
        for _ in range(2):
            async with self.database.begin() as connection:
                states, _ = await correct_events(connection, self.tenant.id, [wanted], now)
        assert states == ["repeated"]
        self.remember(now)

    # Credit

    async def give(self, now: datetime) -> None:
        dice = self.dice
        paid = dice.below(3) == 0
        begins = now + DAY * dice.below(9) if dice.below(3) == 0 else None
        days = dice.one_of(None, 5, 20, 60) if paid else dice.one_of(3, 12, 30, 90)
        expires = None if days is None else (begins or now) + DAY * days + HOUR * dice.below(23)
        models = ["small"] if dice.below(4) == 0 else None
        amount = self.money(100 + dice.below(1200))
        wanted = CreditGrantCreate(
            name="A grant",
            kind="paid" if paid else "promotional",
            amount=_decimal(amount),
            starts_at=begins,
            expires_at=expires,
            priority=dice.one_of(100, 100, 20),
            models=models,
        )
        async with self.database.begin() as connection:
            grant = await add_grant(connection, self.tenant.id, wanted, now)
        scope = None if models is None else frozenset(models)
        pot = Pot(grant.id, paid, amount, begins or now, expires, wanted.priority, scope)
        self.life.purse.give(pot, now)
        self.remember(now)
        if paid and dice.below(2):
            later = now + timedelta(minutes=dice.below(30 * 1440))
            self.world.at(later, partial(self.refund, grant.id))

    async def refund(self, grant_id: str, now: datetime) -> None:
        async with self.database.begin() as connection:
            await refund_grant(connection, self.tenant.id, grant_id, now)
        self.life.purse.refund(grant_id, now)
        self.world.counts["refunded"] += self.life.purse.pots[grant_id].parts["refunded"] > 0
        self.remember(now)

    async def set_rule(self, now: datetime) -> None:
        """A rule that tops up, or none, and a balance to warn below."""
        threshold, amount = self.money(200), self.money(300 + 100 * self.dice.below(4))
        ceiling = amount * self.dice.one_of(1, 1, 2)
        rule = (threshold, amount, ceiling) if self.dice.below(4) else None
        wanted = WalletSettings(
            low_balance=_decimal(self.money(500)),
            top_up=None
            if rule is None
            else TopUpRule(
                threshold=_decimal(threshold),
                amount=_decimal(amount),
                daily_ceiling=_decimal(ceiling),
            ),
        )
        async with self.database.begin() as connection:
            await set_wallet(connection, self.tenant.id, wanted)
            await refresh_and_check(connection, self.tenant.id, now)
        purse = self.life.purse
        purse.rule, purse.low = rule, self.money(500)
        purse.up_to(now)
        purse.look(now)
        self.remember(now)

    async def ask(self, now: datetime) -> None:
        amount = self.money(300 + self.dice.below(900))
        async with self.database.begin() as connection:
            wanted = TopUpCreate(amount=_decimal(amount))
            await ask_for_top_up(connection, self.tenant.id, wanted, now)
        self.life.purse.bought.append(Bought(None, amount, now))
        self.remember(now)

    async def finish(self, now: datetime) -> None:
        """Say what became of the payments that are under way."""
        self.finishing = False
        async with self.database.begin() as connection:
            page = await list_top_ups(connection, self.tenant.id, cursor=None, limit=200)
        by_age = sorted(page.items, key=lambda top_up: top_up.asked_at)
        recorded = [
            (top_up.state, Fraction(top_up.amount), top_up.automatic_on) for top_up in by_age
        ]
        bought = self.life.purse.bought
        assert recorded == [
            (purchase.state, purchase.amount, purchase.day) for purchase in bought
        ], (self.tenant.id, now)
        pending = [pair for pair in zip(by_age, bought, strict=True) if pair[1].state == "pending"]
        for number, (top_up, purchase) in enumerate(pending):
            at = now + timedelta(seconds=number)
            purchase.state = "failed" if self.dice.below(4) == 0 else "paid"
            outcome = TopUpOutcome(state=purchase.state, reference=f"payment of {top_up.id}")
            for _ in range(2):
                async with self.database.begin() as connection:
                    await finish_top_up(connection, self.tenant.id, top_up.id, outcome, at)
            if purchase.state == "paid":
                self.life.purse.give(Pot(top_up.id, True, purchase.amount, at), at)
                if self.dice.below(4) == 0:
                    later = at + timedelta(minutes=1 + self.dice.below(3 * 1440))
                    self.world.at(later, partial(self.refund, top_up.id))
            else:
                self.life.purse.up_to(at)
            self.world.counts[f"top-up {purchase.state}"] += 1
            self.remember(at)


def _decimal(amount: Fraction) -> Decimal:
    return Decimal(amount.numerator) / Decimal(amount.denominator)


def _exact(quantities: dict[str, int]) -> dict[str, Decimal]:
    return {meter: Decimal(units) for meter, units in quantities.items()}
