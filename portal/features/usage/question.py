"""What the usage page asks the API: a range of time, cut into buckets. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backend_client.types.usage import Granularity, UsageDimension, UsageQuery

RANGES = {
    "hour": "Last hour",
    "day": "Last 24 hours",
    "week": "Last 7 days",
    "month": "Last 30 days",
    "period": "This month",
    "year": "Last 12 months",
}
WIDTHS = {
    "hour": (Granularity.QUARTER_HOUR,),
    "day": (Granularity.HOUR, Granularity.QUARTER_HOUR),
    "week": (Granularity.DAY, Granularity.HOUR),
    "month": (Granularity.DAY, Granularity.HOUR),
    "period": (Granularity.DAY, Granularity.HOUR),
    "year": (Granularity.MONTH, Granularity.DAY),
}
"""The bucket widths a range can be cut into, the usual one first; at most 744 buckets."""

WIDTH_NAMES = {
    Granularity.QUARTER_HOUR: "15 minutes",
    Granularity.HOUR: "Hours",
    Granularity.DAY: "Days",
    Granularity.MONTH: "Months",
}
SPLITS = {
    "meter": "By meter",
    "model": "By model",
    "application": "By application",
    "key": "By API key",
}
OPERATOR_SPLITS = {**SPLITS, "upstream": "By upstream"}
"""Who served a model is the seller's business: the API refuses this to customers."""


FILTERS = ("application", "key", "model", "label")
MOST_LETTERS = 200
"""Of a filter in an address, which anybody may have written."""

SHOWN = {"tokens": "Tokens", "requests": "Requests"}


@dataclass(frozen=True)
class UsageChoice:
    """What the page shows: how far back, how wide a bar is, what is counted, stacked by what."""

    range: str = "day"
    width: str = "hour"
    show: str = "tokens"
    split: str = "meter"
    application: str = ""
    key: str = ""
    model: str = ""
    label: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """What usage is of; what is empty lets all through. A ``label`` is ``name=value``."""
        return {name: getattr(self, name) for name in FILTERS if getattr(self, name)}


def to_query(choice: UsageChoice) -> dict[str, str]:
    """A choice as the query of an address; without what is as usual."""
    usual = asdict(UsageChoice(range=choice.range, width=WIDTHS[choice.range][0].value))
    usual["range"] = UsageChoice().range
    return {name: value for name, value in asdict(choice).items() if value != usual[name]}


def from_query(query: Mapping[str, str], splits: Mapping[str, str] = SPLITS) -> UsageChoice:
    """A choice from the query of an address, which anybody may have written.

    ``splits`` are those that the person may choose.
    """
    usual = UsageChoice()
    chosen = query.get("range", "")
    chosen = chosen if chosen in RANGES else usual.range
    widths = [width.value for width in WIDTHS[chosen]]
    width, show, split = (query.get(name, "") for name in ("width", "show", "split"))
    show = show if show in SHOWN else usual.show
    split = split if split in splits else usual.split
    if show == "requests" and split == "meter":
        # Requests are one meter
        split = "model"
    width = width if width in widths else widths[0]
    filters = {name: query.get(name, "")[:MOST_LETTERS] for name in FILTERS}
    if "=" not in filters["label"]:
        filters["label"] = ""
    return UsageChoice(chosen, width, show, split, **filters)


@dataclass(frozen=True)
class UsageQuestion:
    """A question to ``GET /v1/usage``. ``end`` is the end of the bucket that now is in."""

    start: datetime
    end: datetime
    granularity: Granularity
    group_by: tuple[UsageDimension, ...]
    filters: tuple[tuple[str, str], ...] = ()

    @property
    def query(self) -> UsageQuery:
        """The question as the client takes it."""
        named = dict(self.filters)
        label, _, value = named.get("label", "").partition("=")
        return {
            "start": self.start,
            "end": self.end,
            "granularity": self.granularity,
            "group_by": self.group_by,
            "application": [named["application"]] if "application" in named else [],
            "key": [named["key"]] if "key" in named else [],
            "model": [named["model"]] if "model" in named else [],
            "label": {label: value} if label else {},
        }


def the_time_before(question: UsageQuestion, *, now: datetime) -> UsageQuestion:
    """The question for as much time before the start as has passed since it, in one sum.

    A range that ends in the future, such as a month, is compared by what of it is over.
    """
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    passed = min(question.end, quarter + timedelta(minutes=15)) - question.start
    return replace(
        question,
        start=question.start - passed,
        end=question.start,
        granularity=Granularity.TOTAL,
        group_by=(),
    )


def usage_question(
    chosen: str,
    width: str,
    split: str,
    *,
    now: datetime,
    time_zone: str,
    filters: Mapping[str, str] | None = None,
) -> UsageQuestion:
    """The question for a range, bucket width and split; the usual ones for unknown words.

    The start moves with the clock only at bucket boundaries, so that asking again a second later
    asks the same.
    """
    chosen = chosen if chosen in RANGES else "day"
    widths = WIDTHS[chosen]
    granularity = next((g for g in widths if g.value == width), widths[0])
    zone = ZoneInfo(time_zone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    start, end = {
        "hour": (quarter - timedelta(minutes=45), quarter + timedelta(minutes=15)),
        "day": (hour - timedelta(hours=23), hour + timedelta(hours=1)),
        "week": (midnight - timedelta(days=6), midnight + timedelta(days=1)),
        "month": (midnight - timedelta(days=29), midnight + timedelta(days=1)),
        "period": (month, _next_month(month)),
        "year": (_months_before(month, 11), _next_month(month)),
    }[chosen]
    dimension = UsageDimension(split) if split in OPERATOR_SPLITS else UsageDimension.METER
    named = tuple((filters or {}).items())
    return UsageQuestion(start, end, granularity, (dimension,), named)


def _next_month(month: datetime) -> datetime:
    return (month + timedelta(days=32)).replace(day=1)


def _months_before(month: datetime, number: int) -> datetime:
    months = month.year * 12 + month.month - 1 - number
    return month.replace(year=months // 12, month=months % 12 + 1)
