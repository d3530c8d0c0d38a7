"""What can be chosen on the usage page, and how it stands in an address. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend_client.types.usage import Granularity

RANGES: Final = {
    "hour": "Last hour",
    "day": "Last 24 hours",
    "week": "Last 7 days",
    "month": "Last 30 days",
    "period": "This month",
    "year": "Last 12 months",
    "between": "Between two times",
}
WIDTHS: Final = {
    "hour": (Granularity.QUARTER_HOUR,),
    "day": (Granularity.HOUR, Granularity.QUARTER_HOUR),
    "week": (Granularity.DAY, Granularity.HOUR),
    "month": (Granularity.DAY, Granularity.HOUR),
    "period": (Granularity.DAY, Granularity.HOUR),
    "year": (Granularity.MONTH, Granularity.DAY),
}
"""The bucket widths a range can be cut into, the usual one first; at most 744 buckets."""
WIDTH_NAMES: Final = {
    Granularity.QUARTER_HOUR: "15 minutes",
    Granularity.HOUR: "Hours",
    Granularity.DAY: "Days",
    Granularity.MONTH: "Months",
}
LONGEST: Final = timedelta(days=400)
"""Between two times."""

SHOWN: Final = {
    "tokens": "Tokens",
    "requests": "Requests",
    "cost": "Cost",
    "errors": "Errors",
    "refusals": "Refusals",
    "latency": "Latency",
    "first_token": "First token",
}
OF_CALLS: Final = frozenset({"errors", "refusals", "latency", "first_token"})
"""What the gateway measures of calls; the rest is of events."""
TIMES: Final = frozenset({"latency", "first_token"})
SPLIT_NAMES: Final = {
    "meter": "By meter",
    "percentile": "By percentile",
    "cause": "By cause",
    "model": "By model",
    "application": "By application",
    "key": "By API key",
    "upstream": "By upstream",
}
LABEL: Final = "label."
"""What a split by a declared label begins with; its name follows."""
_WHOSE: Final = ("model", "application", "key")
SPLITS: Final = {
    "tokens": ("meter", *_WHOSE),
    # Requests are one meter
    "requests": _WHOSE,
    "cost": (*_WHOSE, "meter"),
    "errors": ("cause", *_WHOSE),
    "refusals": ("cause", *_WHOSE),
    "latency": ("percentile", *_WHOSE),
    "first_token": ("percentile", *_WHOSE),
}
"""What each measure can be divided by, the usual first."""
OPERATOR_SPLITS: Final = {
    show: (*splits, "upstream") if show in {"tokens", "requests"} else splits
    for show, splits in SPLITS.items()
}
"""Who served a model is the seller's business: the API refuses this to customers."""
Splits = Mapping[str, tuple[str, ...]]

OF_STATUS: Final = frozenset({"tokens", "requests", "cost"})
"""What can be shown of calls that ended in one way: requests, and where ``status`` is a declared
label all of them."""
STATUSES: Final = {
    "completed": "Completed",
    "aborted": "Aborted",
    "failed": "Failed",
    "refused": "Refused",
}
ZONES: Final = (
    *("UTC", "Africa/Johannesburg", "Africa/Lagos", "America/Chicago", "America/Los_Angeles"),
    *("America/New_York", "America/Sao_Paulo", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Kolkata"),
    *("Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin"),
    *("Europe/London", "Europe/Paris", "Pacific/Auckland"),
)
"""Those that are offered; an address may have any."""
FILTERS: Final = ("application", "key", "model", "meter", "status", "label")
MOST_LETTERS: Final = 200
"""Of a filter in an address, which anybody may have written."""


@dataclass(frozen=True)
class UsageChoice:
    """What the page shows: of which time, how wide a bar is, what is measured, divided by what.

    ``since`` and ``until`` are times of ``zone``'s clock as a browser's field writes them, and hold
    with the range ``between`` alone. Without a ``zone`` it is the tenant's. ``then`` is what each
    part of the ``split`` is divided by again.
    """

    range: str = "day"
    width: str = "hour"
    show: str = "tokens"
    split: str = "meter"
    then: str = ""
    since: str = ""
    until: str = ""
    zone: str = ""
    application: str = ""
    key: str = ""
    model: str = ""
    meter: str = ""
    status: str = ""
    label: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """What usage is of; what is empty lets all through. A ``label`` is ``name=value``."""
        return {name: getattr(self, name) for name in FILTERS if getattr(self, name)}

    @property
    def splits(self) -> tuple[str, ...]:
        """What the measure is divided by, in order."""
        return (self.split, self.then) if self.then else (self.split,)

    @property
    def of_calls(self) -> bool:
        """Whether it is shown from what the gateway measured of calls, not from events."""
        return self.show in OF_CALLS or (self.show == "requests" and bool(self.status))


class WrongTimes(ValueError):
    """Two times that no usage can be between, and why, in a sentence."""


def moments(choice: UsageChoice, time_zone: str) -> tuple[datetime, datetime]:
    """The times that usage is asked for between, on quarter hours.

    Raises:
        WrongTimes: one is none, they are in the wrong order, or too far apart.
    """
    zone = ZoneInfo(choice.zone or time_zone)
    start, end = (
        _quarter(_moment(text, zone)).astimezone(zone) for text in (choice.since, choice.until)
    )
    if end.astimezone(UTC) <= start.astimezone(UTC):
        raise WrongTimes("The end is not after the start.")
    if end.astimezone(UTC) - start.astimezone(UTC) > LONGEST:
        raise WrongTimes(f"Choose at most {LONGEST.days} days.")
    return start, end


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        local = datetime.fromisoformat(text)
        return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongTimes(f"{text!r} is no time." if text else "Choose both times.") from None


def _quarter(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)


def widths_of(choice: UsageChoice, time_zone: str) -> tuple[Granularity, ...]:
    """The bucket widths a choice's time can be cut into, the usual one first."""
    if choice.range != "between":
        widths = WIDTHS[choice.range]
    else:
        start, end = moments(choice, time_zone)
        length = end - start
        if length <= timedelta(hours=2):
            widths = (Granularity.QUARTER_HOUR,)
        elif length <= timedelta(days=2):
            widths = (Granularity.HOUR, Granularity.QUARTER_HOUR)
        elif length <= timedelta(days=31):
            widths = (Granularity.DAY, Granularity.HOUR)
        elif length <= timedelta(days=120):
            widths = (Granularity.DAY, Granularity.MONTH)
        else:
            widths = (Granularity.MONTH, Granularity.DAY)
    if choice.show == "cost":
        # A bill is worked out for each bucket, and the API does that for no more than 200
        long = choice.range in {"month", "period", "year"} or (
            choice.range == "between" and widths[0] in {Granularity.DAY, Granularity.MONTH}
        )
        widths = widths[:1] if long else widths
    return widths


def settled(choice: UsageChoice, splits: Splits, time_zone: str) -> UsageChoice:
    """A choice whose parts go together: what doesn't, is as usual."""
    if choice.zone and not _is_zone(choice.zone):
        choice = replace(choice, zone="")
    if choice.show not in OF_STATUS:
        choice = replace(choice, status="")
    # Calls are not measured by who served them
    possible = (SPLITS if choice.of_calls else splits)[choice.show]
    split = choice.split if _divides(choice, choice.split, possible) else possible[0]
    then = choice.then if _divides(choice, choice.then, possible) and choice.then != split else ""
    if "percentile" in (split, then):
        then = ""
    choice = replace(choice, split=split, then=then)
    try:
        widths = widths_of(choice, time_zone)
    except WrongTimes:
        choice = replace(choice, range=UsageChoice.range, since="", until="")
        widths = widths_of(choice, time_zone)
    if choice.range != "between":
        choice = replace(choice, since="", until="")
    usual = widths[0].value
    return replace(
        choice,
        width=choice.width if choice.width in {width.value for width in widths} else usual,
        meter=choice.meter if choice.show in {"tokens", "cost"} else "",
        label=choice.label if "=" in choice.label and has_labels(choice) else "",
    )


def has_labels(choice: UsageChoice) -> bool:
    """Whether what is shown is kept by label: of events it is and of their cost, of calls not."""
    return choice.show in {"tokens", "requests", "cost"} and not choice.of_calls


def label_of(split: str) -> str:
    """The label that a split is by; empty if it is by none."""
    return split.removeprefix(LABEL) if split.startswith(LABEL) else ""


def split_name(split: str) -> str:
    """What a split is called."""
    return SPLIT_NAMES.get(split) or f"By label {label_of(split)}"


def _divides(choice: UsageChoice, split: str, possible: Sequence[str]) -> bool:
    return split in possible or (bool(label_of(split)) and has_labels(choice))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def to_query(choice: UsageChoice, time_zone: str = "UTC") -> dict[str, str]:
    """A choice as the query of an address; without what is as usual."""
    widths = widths_of(choice, time_zone)
    usual = asdict(UsageChoice(width=widths[0].value, split=SPLITS[choice.show][0]))
    return {name: value for name, value in asdict(choice).items() if value != usual[name]}


def from_query(
    query: Mapping[str, str], splits: Splits = SPLITS, time_zone: str = "UTC"
) -> UsageChoice:
    """A choice from the query of an address, which anybody may have written.

    ``splits`` are those that the person may choose.
    """
    names = asdict(UsageChoice()).keys()
    values = {name: query[name][:MOST_LETTERS] for name in names if query.get(name)}
    if values.get("range") not in RANGES:
        values.pop("range", None)
    if values.get("show") not in SHOWN:
        values.pop("show", None)
    if values.get("status") not in STATUSES:
        values.pop("status", None)
    return settled(UsageChoice(**{"width": "", "split": "", **values}), splits, time_zone)
