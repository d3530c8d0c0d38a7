"""What the usage page asks the API: a range of time, cut into buckets. Plain functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from backend_client.types.calls import CallDimension, CallsQuery, CallStatus
from backend_client.types.cost import CostDimension, CostQuery
from backend_client.types.usage import Granularity, UsageDimension, UsageQuery
from portal.features.usage.choices import UsageChoice, WrongTimes, label_of, moments, widths_of

Dimension = TypeVar("Dimension", CallDimension, CostDimension)
_STATUS_OF = {
    "errors": (CallStatus.FAILED,),
    "refusals": (CallStatus.REFUSED,),
    "latency": (CallStatus.COMPLETED,),
    "first_token": (CallStatus.COMPLETED,),
}


@dataclass(frozen=True)
class UsageQuestion:
    """What is asked of the API. ``end`` is the end of the bucket that now is in."""

    start: datetime
    end: datetime
    granularity: Granularity
    group_by: tuple[str, ...]
    filters: tuple[tuple[str, str], ...] = ()
    time_zone: str = ""
    show: str = "tokens"

    @property
    def whole(self) -> UsageQuestion:
        """The question for all of the time in one."""
        return replace(self, granularity=Granularity.TOTAL, group_by=())

    @property
    def usage(self) -> UsageQuery:
        """As a question about usage."""
        return {
            "start": self.start,
            "end": self.end,
            "granularity": self.granularity,
            "time_zone": self.time_zone or None,
            "group_by": [UsageDimension(name) for name in self.group_by if not label_of(name)],
            "group_by_label": self._by_labels,
            "application": self._only("application"),
            "key": self._only("key"),
            "model": self._only("model"),
            "meter": self._only("meter"),
            "label": self._labels,
        }

    @property
    def calls(self) -> CallsQuery:
        """As a question about calls: those that the measure is of, or of the chosen status."""
        chosen = [CallStatus(name) for name in self._only("status")]
        return {
            "start": self.start,
            "end": self.end,
            "granularity": self.granularity,
            "time_zone": self.time_zone or None,
            "group_by": _named(CallDimension, self.group_by),
            "application": self._only("application"),
            "key": self._only("key"),
            "model": self._only("model"),
            "status": _STATUS_OF.get(self.show, chosen),
        }

    @property
    def cost(self) -> CostQuery:
        """As a question about what usage cost."""
        return {
            "start": self.start,
            "end": self.end,
            "granularity": self.granularity,
            "time_zone": self.time_zone or None,
            "group_by": _named(CostDimension, self.group_by),
            "group_by_label": self._by_labels,
            "application": self._only("application"),
            "key": self._only("key"),
            "model": self._only("model"),
            "meter": self._only("meter"),
            "label": self._labels,
        }

    @property
    def _by_labels(self) -> list[str]:
        return [label for name in self.group_by if (label := label_of(name))]

    @property
    def _labels(self) -> dict[str, str]:
        label, _, value = dict(self.filters).get("label", "").partition("=")
        labels = {label: value} if label else {}
        # The gateway's events have how their call ended as a label
        return labels | dict(filtered for filtered in self.filters if filtered[0] == "status")

    def _only(self, name: str) -> list[str]:
        return [value for filtered, value in self.filters if filtered == name]


def _named(kind: Callable[[str], Dimension], names: Iterable[str]) -> list[Dimension]:
    return [kind(name) for name in names if name != "percentile" and not label_of(name)]


def the_time_before(question: UsageQuestion, *, now: datetime) -> UsageQuestion:
    """The question for the time of the same length before, undivided, as far as this one is over.

    Whole months are compared with as many months before, other times in whole days where they are
    cut into days: each bucket has one to be compared with.
    """
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    passed = min(question.end, quarter + timedelta(minutes=15)) - question.start
    if passed <= timedelta(0):
        passed = question.end - question.start
    start = _as_long_before(question)
    end = min((start.astimezone(UTC) + passed), question.start.astimezone(UTC))
    return replace(question, start=start, end=end, group_by=())


def _as_long_before(question: UsageQuestion) -> datetime:
    start, end = question.start, question.end.astimezone(question.start.tzinfo)
    if all((each.day, each.hour, each.minute) == (1, 0, 0) for each in (start, end)):
        months = (end.year - start.year) * 12 + end.month - start.month
        return _months_before(start, months)
    if question.granularity in {Granularity.DAY, Granularity.MONTH}:
        # By the calendar, on which a day that changes the clock is a day
        length = end.replace(tzinfo=None) - start.replace(tzinfo=None)
        return start - timedelta(days=-(-length // timedelta(days=1)))
    return (start.astimezone(UTC) - (end - start)).astimezone(start.tzinfo)


def usage_question(choice: UsageChoice, *, now: datetime, time_zone: str) -> UsageQuestion:
    """The question for a choice.

    The start moves with the clock only at bucket boundaries, so that asking again a second later
    asks the same.
    """
    try:
        widths = widths_of(choice, time_zone)
    except WrongTimes:
        choice = replace(choice, range=UsageChoice.range)
        widths = widths_of(choice, time_zone)
    granularity = next((g for g in widths if g.value == choice.width), widths[0])
    start, end = _times(choice, now, time_zone)
    return UsageQuestion(
        start,
        end,
        granularity,
        choice.splits,
        tuple(choice.filters.items()),
        choice.zone,
        choice.show,
    )


def _times(choice: UsageChoice, now: datetime, time_zone: str) -> tuple[datetime, datetime]:
    if choice.range == "between":
        return moments(choice, time_zone)
    zone = ZoneInfo(choice.zone or time_zone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    return {
        "hour": (quarter - timedelta(minutes=45), quarter + timedelta(minutes=15)),
        "day": (hour - timedelta(hours=23), hour + timedelta(hours=1)),
        "week": (midnight - timedelta(days=6), midnight + timedelta(days=1)),
        "month": (midnight - timedelta(days=29), midnight + timedelta(days=1)),
        "period": (month, _next_month(month)),
        "year": (_months_before(month, 11), _next_month(month)),
    }[choice.range]


def _next_month(month: datetime) -> datetime:
    return (month + timedelta(days=32)).replace(day=1)


def _months_before(month: datetime, number: int) -> datetime:
    months = month.year * 12 + month.month - 1 - number
    return month.replace(year=months // 12, month=months % 12 + 1)
