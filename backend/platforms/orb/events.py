"""Our deltas as Orb's events, and which event a delta below zero changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from backend.platforms.documents import SentDelta, UsageDelta
from backend.platforms.orb.mapping import stamp
from backend.platforms.orb.prices import Body, event_name, number

LONGEST: Final = timedelta(days=31)
"""Of a backfill's timeframe."""
_HOUR: Final = timedelta(hours=1)
_AMENDS: Final = "amends "
_DEPRECATES: Final = "deprecates "


def event_body(delta: UsageDelta) -> Body:
    """Return a delta as an event to ingest; raise ``ValueError`` if Orb can't hold its quantity."""
    return {**amended_body(delta, delta.quantity), "idempotency_key": delta.identifier}


def amended_body(delta: UsageDelta, quantity: Decimal) -> Body:
    """Return what an event of the delta's quarter hour says, if that is ``quantity``."""
    return {
        "event_name": event_name(delta.meter),
        "customer_id": delta.customer,
        "timestamp": stamp(delta.at),
        "properties": {"model": delta.model, "quantity": number(quantity)},
    }


class Change(NamedTuple):
    """An event that is to say another quantity; none at all if that is zero."""

    identifier: str
    quantity: Decimal

    @property
    def how(self) -> str:
        """Return what is kept of it: how the platform has the delta that brought it."""
        return f"{_AMENDS if self.quantity else _DEPRECATES}{self.identifier}"


def change_for(delta: UsageDelta, earlier: Sequence[SentDelta]) -> Change | None:
    """Return which event takes a delta in; None if no event of its quarter hour is left.

    It is the last one that was ingested. Those that changed it since are a part of what it says.
    """
    says: dict[str, Decimal] = {}
    for sent in earlier:
        how = sent.how or ""
        if how.startswith(_AMENDS):
            says[how.removeprefix(_AMENDS)] += sent.quantity
        elif how.startswith(_DEPRECATES):
            says.pop(how.removeprefix(_DEPRECATES), None)
        else:
            says[sent.identifier] = sent.quantity
    if not says:
        return None
    identifier = list(says)[-1]
    return Change(identifier, says[identifier] + delta.quantity)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """The whole hours that a backfill is about, and the deltas in them; ``end`` is exclusive."""

    start: datetime
    end: datetime
    deltas: tuple[UsageDelta, ...]


def timeframes(deltas: Iterable[UsageDelta]) -> list[Timeframe]:
    """Put deltas into as few timeframes as Orb's longest backfill allows."""
    groups: list[list[UsageDelta]] = []
    for delta in sorted(deltas, key=lambda delta: delta.at):
        if not groups or _hour(delta.at) + _HOUR - _hour(groups[-1][0].at) > LONGEST:
            groups.append([])
        groups[-1].append(delta)
    return [
        Timeframe(_hour(group[0].at), _hour(group[-1].at) + _HOUR, tuple(group)) for group in groups
    ]


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
