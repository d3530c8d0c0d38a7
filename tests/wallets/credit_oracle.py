"""Wallets recomputed by hand: every grant, hold and top-up, from what was done alone.

It shares no code with the wallets it checks. Amounts are fractions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

ZERO = Fraction(0)
PARTS = ("available", "reserved", "used", "expired", "refunded")


@dataclass
class Pot:
    """A grant, and where its amount is. ``spent_on`` has what it was used for."""

    name: str
    paid: bool
    amount: Fraction
    starts: datetime
    expires: datetime | None = None
    priority: int = 100
    models: frozenset[str] | None = None
    arrears: bool = False
    parts: dict[str, Fraction] = field(default_factory=dict)
    spent_on: defaultdict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))

    def __post_init__(self) -> None:
        self.parts = dict.fromkeys(PARTS, ZERO) | {"available": self.amount}

    def move(self, source: str, target: str, amount: Fraction, cause: str = "") -> None:
        self.parts[source] -= amount
        self.parts[target] += amount
        if cause:
            self.spent_on[cause] += (target == "used") * amount - (source == "used") * amount

    def resize(self, amount: Fraction) -> bool:
        """Have it come to another amount; tell whether it does."""
        changed = amount != self.amount
        self.parts["available"] += amount - self.amount
        self.amount = amount
        return changed

    def pays(self, model: str | None, at: datetime) -> bool:
        in_time = self.starts <= at and (self.expires is None or at < self.expires)
        return in_time and (self.models is None or model in self.models)

    def pays_bill(self, start: datetime, end: datetime, at: datetime) -> bool:
        """Credit in arrears pays for the time that it was good for; other credit until it ends."""
        if not self.arrears:
            return self.pays(None, at)
        return self.starts < end and (self.expires is None or self.expires > start)


@dataclass
class Held:
    """A hold: what it holds of each pot, and what became of it."""

    model: str
    at: datetime
    holds: list[tuple[Pot, Fraction]]
    state: str = "open"
    used: Fraction = ZERO
    cost: Fraction = ZERO


@dataclass
class Bought:
    """A top-up; ``day`` is the one that a rule asked for it on, None for a person's."""

    day: object
    amount: Fraction
    at: datetime
    state: str = "pending"


@dataclass
class Purse:
    """A tenant's wallet. ``granted`` brings what its plans bring, and tells whether that moved
    anything, and until when nothing more comes: it is asked once ``fresh_until`` has come.
    """

    zone: str
    granted: Callable[[datetime, Purse], tuple[bool, datetime]]
    fresh_until: datetime | None = None
    pots: dict[str, Pot] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    bought: list[Bought] = field(default_factory=list)
    rule: tuple[Fraction, Fraction, Fraction] | None = None
    low: Fraction | None = None
    low_since: datetime | None = None
    seen: list[tuple[datetime, list[tuple[Pot, dict[str, Fraction]]]]] = field(default_factory=list)
    refused_by_ceiling: int = 0

    def up_to(self, at: datetime) -> bool:
        """Expire and bring what is due; tell whether anything moved."""
        moved = False
        for pot in self.pots.values():
            over = not pot.arrears and pot.expires is not None and pot.expires <= at
            if over and (left := pot.parts["available"]):
                pot.move("available", "expired", left)
                moved = True
        if self.fresh_until is None or self.fresh_until <= at:
            brought, self.fresh_until = self.granted(at, self)
            moved = brought or moved
        return moved

    def bring(self, pots: Iterable[Pot]) -> bool:
        """Take in pots; tell whether there was one."""
        new = {pot.name: pot for pot in pots}
        self.pots |= new
        return bool(new)

    def order(self, pots: Iterable[Pot]) -> list[Pot]:
        """Soonest expiry, lower priority number, given before bought, oldest."""
        far = datetime.max.replace(tzinfo=ZoneInfo("UTC"))
        return sorted(
            pots, key=lambda pot: (pot.expires or far, pot.priority, pot.paid, pot.starts, pot.name)
        )

    def spendable(self, at: datetime, model: str | None = None) -> Fraction:
        return sum(
            (pot.parts["available"] for pot in self.pots.values() if pot.pays(model, at)), ZERO
        )

    def draw(
        self, amount: Fraction, at: datetime, model: str | None, target: str, cause: str = ""
    ) -> list[tuple[Pot, Fraction]]:
        """Take ``amount``, which is there, in burn order."""
        usable = [pot for pot in self.pots.values() if pot.pays(model, at)]
        return self.take(amount, usable, target, cause)

    def take(
        self, amount: Fraction, usable: Iterable[Pot], target: str, cause: str
    ) -> list[tuple[Pot, Fraction]]:
        drawn = []
        for pot in self.order(usable):
            part = min(amount, pot.parts["available"])
            if part:
                pot.move("available", target, part, cause)
                drawn.append((pot, part))
                amount -= part
        assert not amount
        return drawn

    def look(self, at: datetime) -> None:
        """Note that little is left, and ask for a top-up if the rule says so."""
        left = self.spendable(at) + sum((pot.parts["reserved"] for pot in self.pots.values()), ZERO)
        low = self.low is not None and left < self.low
        if low != (self.low_since is not None):
            self.low_since = at if low else None
        if self.rule is None or left >= self.rule[0]:
            return
        today = at.astimezone(ZoneInfo(self.zone)).date()
        own = [purchase for purchase in self.bought if purchase.day is not None]
        if any(
            purchase.state == "pending" or (purchase.state, purchase.day) == ("failed", today)
            for purchase in own
        ):
            return
        had = sum(
            (
                purchase.amount
                for purchase in own
                if purchase.day == today and purchase.state == "paid"
            ),
            ZERO,
        )
        if had + self.rule[1] > self.rule[2]:
            self.refused_by_ceiling += 1
            return
        self.bought.append(Bought(today, self.rule[1], at))

    def reserve(self, name: str, model: str, amount: Fraction, at: datetime) -> bool:
        self.up_to(at)
        fits = amount <= self.spendable(at, model)
        if fits:
            holds = self.draw(amount, at, model, "reserved")
            self.held[name] = Held(model, at, holds)
        self.look(at)
        return fits

    def settle(self, name: str, cost: Fraction, at: datetime) -> Fraction:
        """End a call, open or lapsed, that cost so much; return what it took."""
        self.up_to(at)
        held = self.held[name]
        used = self._let_go(held, name, cost) if held.state == "open" else ZERO
        more = min(cost - used, self.spendable(at, held.model))
        self.draw(more, at, held.model, "used", name)
        held.state, held.used, held.cost = "settled", used + more, cost
        self.look(at)
        return held.used

    def release(self, name: str, at: datetime) -> None:
        self.up_to(at)
        if self.held[name].state != "open":
            return
        self._let_go(self.held[name], name, ZERO)
        self.held[name].state = "released"
        self.look(at)

    def correct(self, name: str, cost: Fraction, at: datetime) -> None:
        """Have a call cost ``cost`` after all."""
        held = self.held[name]
        if held.state == "open":
            self.settle(name, cost, at)
            return
        self.up_to(at)
        too_much = held.used - cost
        if too_much > 0:
            burnt = [pot for pot in self.pots.values() if pot.spent_on[name]]
            for pot in reversed(self.order(burnt)):
                back = min(too_much, pot.spent_on[name])
                pot.move("used", "available", back, name)
                too_much -= back
            held.used = cost
            self.fresh_until = at  # what came back may be more than the plan's share
        else:
            more = min(cost - held.used, self.spendable(at, held.model))
            self.draw(more, at, held.model, "used", name)
            held.used += more
        held.state, held.cost = "settled", cost
        self.look(at)

    def _let_go(self, held: Held, name: str, cost: Fraction) -> Fraction:
        """Use up to ``cost`` of what is held, in burn order; give the rest back."""
        used = ZERO
        parts = {pot.name: part for pot, part in held.holds}
        for pot in self.order(pot for pot, _ in held.holds):
            part = min(cost - used, parts[pot.name])
            pot.move("reserved", "used", part, name)
            pot.move("reserved", "available", parts[pot.name] - part)
            used += part
        held.holds = []
        return used

    def give(self, pot: Pot, at: datetime) -> None:
        self.up_to(at)
        self.pots[pot.name] = pot
        self.look(at)

    def refund(self, name: str, at: datetime) -> None:
        self.up_to(at)
        pot = self.pots[name]
        pot.move("available", "refunded", pot.parts["available"])
        self.look(at)

    def pay(
        self, cause: str, owed: Fraction, minor: int, usable: list[Pot], at: datetime
    ) -> Fraction:
        """Pay a bill in whole minor units of what is ``usable`` for it; return how much."""
        usable = [pot for pot in usable if pot.models is None]
        there = sum((pot.parts["available"] for pot in usable), ZERO)
        amount = min(owed, Fraction(int(there * minor), minor))
        if amount:
            self.take(amount, usable, "used", cause)
            self.look(at)
        return amount

    def waits_for_bill(self, end: datetime) -> bool:
        """Tell whether the bill of a period that ended then has to look at this wallet."""
        return any(
            pot.arrears
            and pot.expires is not None
            and pot.expires <= end
            and pot.parts["available"]
            for pot in self.pots.values()
        ) or (self.fresh_until is None or self.fresh_until <= end)

    def close(self, end: datetime) -> bool:
        """Expire the credit in arrears that ended by then; tell whether there was any."""
        over = [
            pot
            for pot in self.pots.values()
            if pot.arrears and pot.expires is not None and pot.expires <= end
            if pot.parts["available"]
        ]
        for pot in over:
            pot.move("available", "expired", pot.parts["available"])
        return bool(over)

    def lapsed(self, at: datetime) -> list[str]:
        """Holds that nobody settled within an hour."""
        return [
            name
            for name, held in self.held.items()
            if held.state == "open" and held.at + timedelta(hours=1) <= at
        ]

    def sweep(self, at: datetime) -> bool:
        """Do what the worker does: let lapsed holds go, then expire and bring.

        Tell whether anything moved.
        """
        lapsed = self.lapsed(at)
        for name in lapsed:
            self.release(name, at)
        moved = self.up_to(at)
        if moved:
            self.look(at)
        return moved or bool(lapsed)

    def remember(self, at: datetime) -> None:
        """Keep how everything stands, to be compared later."""
        self.seen.append((at, [(pot, dict(pot.parts)) for pot in self.pots.values()]))
