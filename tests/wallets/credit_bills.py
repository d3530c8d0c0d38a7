"""Bills of the year of credit recomputed by hand: plans, periods, lines, late usage, balance.

It shares no code with the billing it checks: its own calendar, its own prices, and what was done.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.wallets.credit_oracle import ZERO, Held, Pot, Purse
from tests.wallets.credit_plans import (
    CAPS_IN_YEN,
    EDGE,
    GRANTS,
    IN_YEN,
    INCLUDED,
    METERED,
    PREPAID,
    PRO,
    SPOT,
    TRIAL_DAYS,
)
from tests.wallets.credit_returns import GivingBack, Issued, bought_part

MILLION = 1_000_000
SECOND = timedelta(seconds=1)
Lines = dict[tuple[str, str], Fraction]
"""Rounded amounts, by plan and what of it."""
Due = tuple[str, dict[str, object], str, Fraction]
"""A plan, terms of its credit, the name of a period's pot, and what it is due by itself."""


@dataclass(frozen=True)
class Standing:
    """What a tenant is on, from a quarter hour on; ``plan`` None for nothing."""

    since: datetime
    plan: str | None
    trial: bool = False
    paused: bool = False


@dataclass
class Use:
    """An event: what it says now, and since when it is counted."""

    at: datetime
    model: str
    quantities: dict[str, int]
    counted_at: datetime | None = None


@dataclass
class Life:
    """A tenant's year: what it was on, used, held and was asked for."""

    zone: str
    anchor: int
    currency: str
    year: int
    standings: list[Standing] = field(default_factory=list)
    uses: dict[str, Use] = field(default_factory=dict)
    invoices: list[Issued] = field(default_factory=list)
    had: set[str] = field(default_factory=set)
    trial_until: datetime | None = None
    billed: dict[datetime, Lines] = field(default_factory=dict)
    balance: Fraction = ZERO

    def __post_init__(self) -> None:
        self.purse = Purse(self.zone, self.granted)
        self.minor = {"USD": 100, "JPY": 1}[self.currency]
        zone, starts = ZoneInfo(self.zone), []
        for index in range(-1, 16):
            year, month = self.year + index // 12, index % 12 + 1
            day = min(self.anchor, monthrange(year, month)[1])
            starts.append(datetime.combine(date(year, month, day), time(), zone).astimezone(UTC))
        self.periods = list(pairwise(starts))

    # What the tenant is on

    def on(self, at: datetime) -> Standing:
        begun = [standing for standing in self.standings if standing.since <= at]
        return max(begun, key=lambda standing: standing.since) if begun else Standing(at, None)

    def choose(self, plan: str, at: datetime) -> None:
        now = self.on(at)
        if not (now.plan == plan and now.trial):  # else the trial goes on
            first = plan in TRIAL_DAYS and plan not in self.had
            self.trial_until = at + timedelta(days=TRIAL_DAYS[plan]) if first else None
        self._from(at, Standing(at, plan, trial=self.trial_until is not None))
        if self.trial_until is not None:
            self.standings.append(Standing(self.trial_until, plan))
        self.had.add(plan)

    def stop(self, at: datetime) -> None:
        self._from(at, Standing(at, None))

    def pause(self, at: datetime) -> None:
        self._from(at, Standing(at, self.on(at).plan, paused=True))

    def resume(self, at: datetime) -> None:
        self._from(at, Standing(at, self.on(at).plan))

    def _from(self, at: datetime, standing: Standing) -> None:
        self.standings = [earlier for earlier in self.standings if earlier.since < at] + [standing]
        self.purse.fresh_until = None

    def period(self, at: datetime) -> tuple[datetime, datetime]:
        return next((start, end) for start, end in self.periods if start <= at < end)

    # What its plan brings

    def granted(self, at: datetime, purse: Purse) -> tuple[bool, datetime]:
        period = self.period(at)
        moved, settled = self._bring(period, at, only_in_arrears=False)
        standing = self.on(at)
        if standing.plan is not None and not standing.paused:
            for terms in GRANTS[standing.plan]:
                name = f"{standing.plan}.{terms['id']}"
                if not terms.get("recurs", True) and name not in purse.pots:
                    until = at + timedelta(days=int(str(terms["expires_after_days"])))
                    whole = self._amount(standing.plan, terms)
                    moved |= purse.bring([self._pot(standing.plan, terms, name, whole, at, until)])
        following = [standing.since for standing in self.standings if standing.since > at]
        return moved, min([period[1], *following]) if settled else at

    def bring_for_bill(self, period: tuple[datetime, datetime], at: datetime) -> None:
        """Bring what the plans of a period bring for its bill, where nobody looked before."""
        self._bring(period, at, only_in_arrears=True)

    def _bring(
        self, period: tuple[datetime, datetime], at: datetime, *, only_in_arrears: bool
    ) -> tuple[bool, bool]:
        """Have each pot of a period be as large as it is due.

        Tell whether anything moved, and whether no call holds more of a pot than is due.
        """
        start, end = period
        moved, settled, purse = False, True, self.purse
        due = self._due(period, at)
        for plan, terms, name, _ in due:
            left = {False: ZERO, True: ZERO}
            for pot in purse.pots.values():
                if pot.name.startswith(f"{plan}.{terms['id']}:") and pot.expires == start:
                    left[pot.arrears] += pot.parts["expired"]
            cap = Fraction(str(terms.get("rollover_cap", 0)))
            if cap and self.currency == "JPY":
                cap = Fraction(CAPS_IN_YEN[plan])
            extra = {f"{name}:carried": min(left[True], cap)}
            if not only_in_arrears:
                extra[f"{name}:rollover"] = min(left[False], cap)
            for grant_id, amount in extra.items():
                if amount and grant_id not in purse.pots:
                    moved |= purse.bring([self._pot(plan, terms, grant_id, amount, start, end)])
        for arrears in (True,) if only_in_arrears else (False, True):
            pots, amounts, _ = self._fitted(period, due, arrears=arrears, with_held=True)
            for plan, terms, name, _ in due:
                if name in amounts and name not in purse.pots and amounts[name]:
                    moved |= purse.bring([self._pot(plan, terms, name, amounts[name], start, end)])
            for pot in pots:
                if not pot.parts["expired"]:
                    asked = next((part for *_, name, part in due if name == pot.name), ZERO)
                    held = pot.parts["used"] + pot.parts["reserved"]
                    settled = settled and not (held > asked and pot.parts["reserved"])
                    moved |= pot.resize(amounts[pot.name])
        return moved, settled

    def _due(self, period: tuple[datetime, datetime], at: datetime) -> list[Due]:
        """What each plan that has begun brings: its part of the period, rounded down."""
        start, end = period
        shares: defaultdict[str, Fraction] = defaultdict(Fraction)
        begun = set()
        edges = sorted({start, end, *(standing.since for standing in self.standings)})
        for first, last in pairwise(edge for edge in edges if start <= edge <= end):
            standing = self.on(first)
            if standing.plan is not None and not standing.paused and not standing.trial:
                shares[standing.plan] += Fraction((last - first) // SECOND, (end - start) // SECOND)
                if first <= at:
                    begun.add(standing.plan)
        due = []
        for plan in sorted(begun):
            for terms in GRANTS[plan]:
                if terms.get("recurs", True):
                    yen = IN_YEN[plan][str(terms["id"])]
                    written = yen if self.currency == "JPY" else str(terms["amount"])
                    scale = max(10 ** len(written.partition(".")[2]), self.minor)
                    part = Fraction(int(Fraction(written) * shares[plan] * scale), scale)
                    name = f"{plan}.{terms['id']}:{start:%Y-%m-%dT%H:%MZ}"
                    due.append((plan, terms, name, part))
        return due

    def _fitted(
        self,
        period: tuple[datetime, datetime],
        due: list[Due],
        *,
        arrears: bool,
        with_held: bool,
    ) -> tuple[list[Pot], dict[str, Fraction], Fraction]:
        """The pots that a period has; what they and those to come are to be; what is too much.

        What one has been used for beyond its part lessens the others, those for all models.
        """
        begins = f":{period[0]:%Y-%m-%dT%H:%MZ}"
        pots = [
            pot
            for pot in self.purse.pots.values()
            if pot.name.endswith(begins) and pot.arrears is arrears
        ]
        new = [
            self._pot(plan, terms, name, part, *period)
            for plan, terms, name, part in due
            if (plan not in PREPAID) is arrears and name not in self.purse.pots
        ]
        asked = {pot.name: ZERO for pot in pots} | {name: part for *_, name, part in due}
        used = {pot.name: ZERO for pot in new} | {
            pot.name: pot.parts["used"] + with_held * pot.parts["reserved"] for pot in pots
        }
        beyond = sum((max(used[pot.name] - asked[pot.name], ZERO) for pot in pots), ZERO)
        amounts = {}
        for pot in self.purse.order([*pots, *new]):
            spare = max(asked[pot.name] - used[pot.name], ZERO)
            less = min(spare, beyond) if pot.models is None else ZERO
            beyond -= less
            amounts[pot.name] = max(asked[pot.name], used[pot.name]) - less
        return pots, amounts, beyond

    def _amount(self, plan: str, terms: dict[str, object]) -> Fraction:
        yen = Fraction(IN_YEN[plan][str(terms["id"])])
        return yen if self.currency == "JPY" else Fraction(str(terms["amount"]))

    def _pot(
        self,
        plan: str,
        terms: dict[str, object],
        name: str,
        amount: Fraction,
        starts: datetime,
        expires: datetime,
    ) -> Pot:
        models = terms.get("models")
        return Pot(
            name,
            paid=False,
            amount=amount,
            starts=starts,
            expires=expires,
            priority=int(str(terms.get("priority", 100))),
            models=frozenset(map(str, models)) if isinstance(models, list) else None,
            arrears=plan not in PREPAID,
        )

    # What calls cost

    def prepaid(self, at: datetime) -> bool:
        standing = self.on(at)
        return standing.plan in PREPAID and not standing.trial and not standing.paused

    def cost(self, model: str, quantities: dict[str, int], at: datetime) -> Fraction:
        """What a prepaid call costs, to the last digit."""
        plan = self.on(at).plan
        assert plan is not None
        return sum((part for _, part in self._prepaid(plan, model, quantities, at)), ZERO)

    def most(self, model: str, read: int, said: int, at: datetime) -> Fraction:
        """The most that a call can cost of so many tokens, whatever they turn out to be."""
        return (
            self.cost(model, {"requests": 1}, at)
            + max(
                self.cost(model, {name: read}, at)
                for name in ("input_tokens", "cached_input_tokens")
            )
            + max(
                self.cost(model, {name: said}, at) for name in ("output_tokens", "reasoning_tokens")
            )
        )

    def _prepaid(
        self, plan: str, model: str, quantities: dict[str, int], at: datetime
    ) -> Iterator[tuple[str, Fraction]]:
        for meter, units in quantities.items():
            if plan == "pro":
                name = "requests" if meter == "requests" else "tokens"
                price = PRO[self.currency][name]
            else:
                name = self._spot_charge(model, meter, at)
                price = SPOT[self.currency][name]
            yield name, Fraction(price) * units / (1 if name == "requests" else MILLION)

    def _spot_charge(self, model: str, meter: str, at: datetime) -> str:
        quarter = at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
        hour = quarter.astimezone(ZoneInfo("Asia/Tokyo")).hour
        match meter:
            case "cached_input_tokens":
                return "cached" if model == "large" else "small-input"
            case "input_tokens":
                return "input" if model == "large" else "small-input"
            case "output_tokens":
                return "night-output" if hour >= 22 or hour < 6 else "output"
            case "reasoning_tokens":
                return "thinking"
        return "requests"

    # What is asked for

    def lines(self, start: datetime, end: datetime, now: datetime) -> Lines:
        """Return the lines of a period by the events that are counted by ``now``."""
        exact: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        on_trial: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        self._fee(start, end, exact)
        output = 0
        for use in self.uses.values():
            if use.counted_at is None or use.counted_at > now or not start <= use.at < end:
                continue
            standing = self.on(use.at)
            if standing.paused or standing.plan is None:
                continue
            if standing.plan in PREPAID:
                asked = on_trial if standing.trial else exact
                for name, part in self._prepaid(standing.plan, use.model, use.quantities, use.at):
                    asked[standing.plan, name] += part
                continue
            read = use.quantities.get("input_tokens", 0)
            read += use.quantities.get("cached_input_tokens", 0)
            price = Fraction(METERED[self.currency]["input"])
            exact["metered", "input"] += read * price / MILLION
            output += use.quantities.get("output_tokens", 0)
            output += use.quantities.get("reasoning_tokens", 0)
        exact["metered", "output"] = self._output(output, self._metered_part(start, end))
        lines: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        for asked in (exact, on_trial):
            for key, amount in asked.items():
                lines[key] += self._round(amount)
        for (plan, _), amount in on_trial.items():
            lines[plan, "trial"] -= self._round(amount)
        prepaid = [key for key in exact if key[0] in PREPAID]
        total = sum((self._round(exact[key]) for key in prepaid), ZERO)
        used = sum((held.used for held in self._calls((start, end)).values()), ZERO)
        by_calls, by_bills = self.beyond((start, end))
        used -= by_calls
        missing = max(sum((exact[key] for key in prepaid), ZERO) - used, ZERO)
        lines["", "prepaid"] = min(self._round(missing), total) - total
        lines["", "beyond share"] = self._round(by_bills)
        return dict(lines)

    def _calls(self, period: tuple[datetime, datetime]) -> dict[str, Held]:
        start, end = period
        return {name: held for name, held in self.purse.held.items() if start <= held.at < end}

    def beyond(self, period: tuple[datetime, datetime]) -> tuple[Fraction, Fraction]:
        """What was used of a period's credit beyond the plans' parts of it: by calls, by invoices.

        No more by calls than they used of what was given: what was bought stays paid.
        """
        brought = [part for part in self._due(period, period[1]) if part[2] in self.purse.pots]
        *_, beyond = self._fitted(period, brought, arrears=False, with_held=False)
        if not beyond:
            return ZERO, ZERO
        given = [pot for pot in self.purse.pots.values() if not pot.paid]
        of_calls = (pot.spent_on[name] for pot in given for name in self._calls(period))
        by_calls = min(beyond, sum(of_calls, ZERO))
        return by_calls, beyond - by_calls

    def _fee(self, start: datetime, end: datetime, exact: dict) -> None:
        part = self._metered_part(start, end)
        if part:
            exact["metered", "fee"] += part * Fraction(METERED[self.currency]["fee"])

    def _metered_part(self, start: datetime, end: datetime) -> Fraction:
        """How much of a period is on the metered plan, which has its part of all."""
        covered = timedelta(0)
        edges = sorted({start, end, *(standing.since for standing in self.standings)})
        for first, last in pairwise(edge for edge in edges if start <= edge <= end):
            standing = self.on(first)
            if standing.plan == "metered" and not standing.paused:
                covered += last - first
        second = timedelta(seconds=1)
        return Fraction(covered // second, (end - start) // second)

    def _output(self, tokens: int, part: Fraction) -> Fraction:
        prices = METERED[self.currency]
        left = max(tokens - int(INCLUDED * part), 0)
        dear, cheap = min(left, EDGE), max(left - EDGE, 0)
        total = Fraction(prices["low"]) * dear + Fraction(prices["high"]) * cheap
        return total / MILLION + (Fraction(prices["step"]) if cheap else 0)

    def _round(self, amount: Fraction) -> Fraction:
        return Fraction((amount * 2 * self.minor + 1) // 2, self.minor)

    def close(self, now: datetime, grace: timedelta) -> bool:
        """Issue the invoices that are due: each period once, with what changed in earlier ones.

        Tell whether there was a period to bill.
        """
        if not self.standings:
            return False
        billed = False
        first = min(standing.since for standing in self.standings)
        for start, end in self.periods:
            if end <= first or end + grace > now or start in self.billed:
                continue
            lines = self.lines(start, end, now)
            # By period: what cancels out within each takes no number
            asked = {start: sum(lines.values(), ZERO)}
            for (before, until), billed_lines in [
                (period, self.billed[period[0]])
                for period in self.periods
                if period[0] in self.billed
            ]:
                again = self.lines(before, until, now)
                asked[before] = sum(again.values(), ZERO) - sum(billed_lines.values(), ZERO)
                self.billed[before] = again
            self.billed[start] = lines
            billed = True
            if any(asked.values()):
                self._issue((start, end), asked, now)
            self._close_credit((start, end), now)
        return billed

    def _close_credit(self, period: tuple[datetime, datetime], now: datetime) -> None:
        _, end = period
        if self.purse.waits_for_bill(end):
            self.purse.up_to(now)
            self.bring_for_bill(period, now)
            if self.purse.close(end):
                self.bring_for_bill(self.period(end), now)
                self.purse.look(now)

    def _issue(
        self, period: tuple[datetime, datetime], asked: dict[datetime, Fraction], now: datetime
    ) -> None:
        total = sum(asked.values(), ZERO)
        asked = {start: amount for start, amount in asked.items() if amount}
        issued = Issued(f"invoice {len(self.invoices)}", period[0], total, asked)
        if total > 0:
            self.purse.up_to(now)
            self.bring_for_bill(period, now)
            pots = list(self.purse.pots.values())
            usable = [pot for pot in pots if pot.pays_bill(*period, now)]
            issued.by_credit = self.purse.pay(issued.name, total, self.minor, usable, now)
            issued.given = issued.by_credit - self._round(bought_part(pots, issued.name))
            issued.money = total - issued.given
        else:
            less = {start: amount for start, amount in asked.items() if amount < 0}
            back = GivingBack(min(-total, -sum(less.values(), ZERO)), set(less))
            issued.by_credit = -back.of(self.invoices, self.purse, now)
        left = total - issued.by_credit
        issued.by_balance = min(left, self.balance) if left > 0 else left
        self.balance -= issued.by_balance
        self.invoices.append(issued)
