"""Meter events as Amberflo has them: each once, taken back by sending it again with a dimension."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support.amberflo.shapes import Fault

TAKES_BACK = "aflo.cancel_previous_resource_event"
_COLUMNS = [TAKES_BACK, "customerId", "uniqueId", "measure_name", "time", "measure_value::double"]
HOUR = 3600

Identity = tuple[str, str, int, str]


@dataclass
class Event:
    said: dict[str, Any]
    taken_at: datetime
    taken_back_at: datetime | None = None
    rejected: bool = False

    def counts(self, at: datetime | None = None) -> bool:
        """Whether it counts, by what had come at that time."""
        if self.rejected or (at is not None and self.taken_at > at):
            return False
        back = self.taken_back_at
        return back is None or (at is not None and back > at)


@dataclass
class Events:
    """All events, by what makes one the same: its meter, customer, time and id.

    ``refused``: ids for which a whole call is refused. ``late``: ids that are taken, and found
    unusable later.
    """

    there: dict[Identity, Event] = field(default_factory=dict)
    repeated: int = 0
    refused: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    listed: bool = True
    """Whether the events themselves can be read: those of very busy meters can't."""

    def ingest(self, events: list[dict[str, Any]], now: datetime) -> str:
        for said in events:
            if said["uniqueId"] in self.refused:
                raise Fault(f"Invalid meter event {said['uniqueId']}")
            if said["meterValue"] < 0:
                raise Fault("A value below zero is documented nowhere")
        for said in events:
            self._take(said, now)
        return f"{len(events)} records were ingested"

    def _take(self, said: dict[str, Any], now: datetime) -> None:
        identity = (
            said["meterApiName"],
            said["customerId"],
            said["meterTimeInMillis"],
            said["uniqueId"],
        )
        before = self.there.get(identity)
        if (said.get("dimensions") or {}).get(TAKES_BACK) == "true":
            if before is None or before.said["meterValue"] != said["meterValue"]:
                return  # there is no such event
            before.taken_back_at = before.taken_back_at or now
        elif before is not None and not before.rejected:
            self.repeated += 1
        else:
            rejected = said["uniqueId"] in self.late
            self.there[identity] = Event(said, now, rejected=rejected)

    def of(
        self, meter: str, customer: str, start: float, end: float, at: datetime | None = None
    ) -> Iterator[Event]:
        for event in self.there.values():
            said = event.said
            seconds = said["meterTimeInMillis"] / 1000
            if (said["meterApiName"], said["customerId"]) == (meter, customer) and (
                start <= seconds < end and event.counts(at)
            ):
                yield event

    def total(
        self, meter: str, customer: str, start: float, end: float, at: datetime | None = None
    ) -> float:
        """What they add up to, in binary, as Amberflo's numbers do."""
        return sum(
            (float(event.said["meterValue"]) for event in self.of(meter, customer, start, end, at)),
            0.0,
        )

    def report(self, query: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Hourly sums, with the gaps filled."""
        if (query["aggregation"], query["timeGroupingInterval"]) != ("SUM", "HOUR"):
            raise Fault("The stand-in sums by the hour")
        start = query["timeRange"]["startTimeInSeconds"]
        end = query["timeRange"].get("endTimeInSeconds", int(now.timestamp()))
        sums = dict.fromkeys(range(start // HOUR * HOUR, end, HOUR), 0.0)
        for customer in query["filter"]["customerId"]:
            for event in self.of(query["meterApiName"], customer, start, end):
                at = event.said["meterTimeInMillis"] // 1000 // HOUR * HOUR
                sums[at] += float(event.said["meterValue"])
        values = [{"value": value, "secondsSinceEpochUtc": at} for at, value in sums.items()]
        return {
            "metadata": query,
            "secondsSinceEpochIntervals": list(sums),
            "clientMeters": [{"groupValue": sum(sums.values()), "values": values}],
        }

    def raw(self, query: dict[str, str]) -> dict[str, Any]:
        """A page of the events themselves, without those that were found unusable."""
        if not self.listed:
            raise Fault("The time range is too large for this meter")
        start, end = int(query["startTimeInSeconds"]), int(query["endTimeInSeconds"])
        size = min(int(query.get("pageSize", 100)), 50)
        first = int(query.get("nextPageToken", 0))
        rows = []
        for event in self.there.values():
            said = event.said
            asked = (query["meterApiName"], query["customerId"])
            if (said["meterApiName"], said["customerId"]) != asked or event.rejected:
                continue
            if not start <= said["meterTimeInMillis"] / 1000 < end:
                continue
            time = datetime.fromtimestamp(said["meterTimeInMillis"] / 1000, UTC).isoformat(" ")
            value = str(float(said["meterValue"]))
            back = "true" if event.taken_back_at else None
            names = (said["customerId"], said["uniqueId"], said["meterApiName"])
            rows.append([back, *names, time, value])
        page = rows[first : first + size]
        token = str(first + size) if first + size < len(rows) else None
        return {"columns": _COLUMNS, "rows": page, "nextPageToken": token, "query": query}

    def reject(self, *identifiers: str) -> None:
        """Find events unusable that were taken."""
        for event in self.there.values():
            if event.said["uniqueId"] in identifiers:
                event.rejected = True
