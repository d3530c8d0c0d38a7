"""Which policy holds when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from backend.chargeback.rules.tree import Path, Tree
from backend.pricing.periods import day_start
from backend_client.types.chargeback import Policy


@dataclass(frozen=True, slots=True)
class Reign:
    """A time in which a policy holds, or none: ``start`` inclusive, ``end`` exclusive."""

    start: datetime
    end: datetime
    policy: Policy | None
    tree: Tree

    @property
    def labels(self) -> frozenset[str]:
        """The labels that its rules name."""
        rules = [] if self.policy is None else self.policy.rules
        return frozenset(rule.label for rule in rules if rule.label is not None)

    def place_of(self, application: str, key: str, labels: dict[str, str]) -> Path:
        """Return where usage goes: by the first rule that matches; nowhere if none does."""
        for rule in [] if self.policy is None else self.policy.rules:
            if rule.application not in (None, application) or rule.key not in (None, key):
                continue
            value = None if rule.label is None else labels.get(rule.label)
            if rule.label is not None and (value is None or rule.value not in (None, value)):
                continue
            path = self.tree.cost_center(value if rule.to is None else rule.to)
            if path is not None:
                return path
        return ()


class Timeline:
    """A tenant's policies by the days from which they hold."""

    def __init__(self, policies: Iterable[tuple[date, Policy]], time_zone: str) -> None:
        zone = ZoneInfo(time_zone)
        in_order = sorted(policies, key=lambda dated: dated[0])
        self._begun = [
            (day_start(day, zone), policy, Tree(policy.units)) for day, policy in in_order
        ]

    def over(self, start: datetime, end: datetime) -> list[Reign]:
        """Divide a time into reigns, without a gap; the first may be without a policy."""
        held: tuple[Policy | None, Tree] = (None, Tree(()))
        reigns: list[Reign] = []
        since = start
        for begins, policy, tree in self._begun:
            if begins >= end:
                break
            if begins > since:
                reigns.append(Reign(since, begins, *held))
                since = begins
            held = (policy, tree)
        return [*reigns, Reign(since, end, *held)]

    def at(self, moment: datetime) -> Reign:
        """Return the policy that holds at a moment."""
        held: tuple[Policy | None, Tree] = (None, Tree(()))
        for begins, policy, tree in self._begun:
            if begins <= moment:
                held = (policy, tree)
        return Reign(moment, moment, *held)


def shares_of_time(reigns: Sequence[Reign]) -> list[Fraction]:
    """Return which part of the whole time each reign has."""
    seconds = [Fraction((reign.end - reign.start).total_seconds()) for reign in reigns]
    return [part / sum(seconds, Fraction(0)) for part in seconds]


def local_day(moment: datetime, time_zone: str) -> date:
    """Return the day of a moment on the clocks of a zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date()
