"""Events: ingested once by their keys, amended, deprecated and backfilled within Orb's limits."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.support.orb.invoices import Invoices
from tests.support.orb.objects import (
    INVALID,
    NOT_THERE,
    Object,
    OrbError,
    iso,
    listed,
    shown,
    when,
)

CHANGES_ALLOWED = 100
"""Of events of a customer in a hundred days: amendments, and as many deprecations."""
HOUR = timedelta(hours=1)


class Usage(Invoices):
    """Keeps events by their keys. ``grace`` is the account's grace period."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.usage: dict[str, Object] = {}
        self.grace = timedelta(hours=12)
        self.names_faults = True
        """Whether a refusal of events names those at fault."""
        self.invoiced_until = datetime.min.replace(tzinfo=UTC)
        """Events of before can't be amended or deprecated any more."""
        self.refused_keys: set[str] = set()
        """Of events that Orb finds fault with."""
        self.duplicates = 0
        self.changes: Counter[tuple[str, str]] = Counter()

    def post_ingest(self, body: Object, query: Object, now: datetime) -> Object:
        backfill = self._open_backfill(query.get("backfill_id"), now)
        faults: dict[str, str] = {}
        bodies: dict[str, Object] = {}
        for event in body["events"]:
            key = event["idempotency_key"]
            if bodies.setdefault(key, event) != event:
                raise OrbError("Two events of one key differ.", INVALID, validation_errors=[])
            if fault := self._fault(event, backfill, now):
                faults[key] = fault
        if faults:
            raise self._refusal(faults)
        for key, event in bodies.items():
            if key in self.usage:
                self.duplicates += 1
                continue
            self.usage[key] = {
                **event,
                "at": when(event["timestamp"]),
                "backfill": backfill,
                "deprecated": False,
                "amended": False,
            }
            if backfill is not None:
                backfill["events_ingested"] += 1
        return {"validation_failed": []}

    def put_events(self, body: Object, query: Object, now: datetime, key: str) -> Object:
        event = self._changeable(key, "amended")
        if when(body["timestamp"]) != event["at"] or body["customer_id"] != event["customer_id"]:
            raise OrbError("An amended event has the same timestamp and customer.")
        event |= {**body, "amended": True}
        return {"amended": key}

    def put_events_deprecate(self, body: Object, query: Object, now: datetime, key: str) -> Object:
        if key not in self.usage or not self.usage[key]["deprecated"]:
            self._changeable(key, "deprecated")["deprecated"] = True
        return {"deprecated": key}

    def post_events_search(self, body: Object, query: Object, now: datetime) -> Object:
        since = when(body.get("timeframe_start") or iso(now - timedelta(days=7)))
        events = [
            {
                "id": key,
                "customer_id": event["customer_id"],
                "external_customer_id": None,
                "event_name": event["event_name"],
                "properties": event["properties"],
                "timestamp": iso(event["at"]),
                "deprecated": event["deprecated"],
            }
            for key, event in self.usage.items()
            if key in body["event_ids"] and not event["amended"] and event["at"] >= since
        ]
        return {"data": events}

    def post_events_backfills(self, body: Object, query: Object, now: datetime) -> Object:
        start, end = when(body["timeframe_start"]), when(body["timeframe_end"])
        if end - start > timedelta(days=31):
            raise OrbError("A backfill is of 31 days at most.")
        for other in self._pending(now):
            overlaps = when(other["timeframe_start"]) < end and start < when(other["timeframe_end"])
            if overlaps and other["customer_id"] in {None, body.get("customer_id")}:
                raise OrbError("A pending backfill overlaps with this one.")
        values = {"replace_existing_events": True, "deprecation_filter": None, **body}
        return self.add(
            "backfill", now, **values, status="pending", events_ingested=0, reverted_at=None
        )

    def get_events_backfills(
        self, body: Object, query: Object, now: datetime, item_id: str | None = None
    ) -> Object:
        self._pending(now)
        return listed(self.all("backfill"), query) if item_id is None else self.find(item_id)

    def post_events_backfills_close(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        backfill = self.find(item_id)
        if backfill not in self._pending(now):
            raise OrbError("The backfill is closed already.")
        backfill |= {"status": "reflected", "close_time": iso(now)}
        return backfill

    def post_prices_evaluate(self, body: Object, query: Object, now: datetime) -> Object:
        start, end = when(body["timeframe_start"]), when(body["timeframe_end"])
        if start < now - timedelta(days=100):
            raise OrbError("No more than 100 days ago")
        answers = []
        for place, evaluation in enumerate(body["price_evaluations"]):
            metric = self.find(evaluation["price"]["billable_metric_id"])
            sums: defaultdict[datetime, Decimal] = defaultdict(Decimal)
            for event in self.counted(body["customer_id"], metric["sql"], start, end):
                hour = event["at"].replace(minute=0, second=0, microsecond=0)
                sums[hour] += Decimal(str(event["properties"]["quantity"]))
            groups = [
                {
                    "grouping_values": [int(hour.timestamp() * 1000)],
                    "quantity": float(quantity),
                    "amount": str(quantity),
                }
                for hour, quantity in sorted(sums.items())
            ]
            answers.append({"currency": "USD", "price_groups": groups, "inline_price_index": place})
        return {"data": answers}

    def counted(self, customer: str, sql: str, start: datetime, end: datetime) -> list[Object]:
        """The events that a metric adds up for a customer."""
        pairs = {
            (name.replace("''", "'"), model.replace("''", "'"))
            for name, model in re.findall(
                r"event_name = '((?:[^']|'')*)' AND model = '((?:[^']|'')*)'", sql
            )
        }
        assert pairs
        assert sql.startswith("SELECT SUM(quantity) FROM events WHERE ")
        return [
            event
            for event in self.usage.values()
            if (event["event_name"], event["properties"]["model"]) in pairs
            and event["customer_id"] == customer
            and start <= event["at"] < end
            and not event["deprecated"]
            and (event["backfill"] is None or event["backfill"]["status"] == "reflected")
        ]

    def lose_customer_of(self, key: str, now: datetime) -> None:
        """An event that Orb took turns out to be nobody's."""
        event = self.usage[key]
        event["customer_id"] = None
        sent = shown({name: event[name] for name in ("idempotency_key", "event_name")})
        webhook = self.happen("event.unmatched_event", now, of={}, event=sent)
        del webhook["event"]

    def _fault(self, event: Object, backfill: Object | None, now: datetime) -> str | None:
        at = when(event["timestamp"])
        before = self.usage.get(event["idempotency_key"])
        if event.get("customer_id") not in self.objects:
            return "The customer does not exist."
        if event["idempotency_key"] in self.refused_keys:
            return "The properties are invalid."
        if at > now + timedelta(minutes=5):
            return "The timestamp is in the future."
        if before is not None and before["deprecated"]:
            return "The event is deprecated."
        if backfill is None:
            return "The timestamp is before the grace period." if at < now - self.grace else None
        start, end = when(backfill["timeframe_start"]), when(backfill["timeframe_end"])
        return None if start <= at < end else "The timestamp is out of the backfill's timeframe."

    def _refusal(self, faults: dict[str, str]) -> OrbError:
        if not self.names_faults:
            said = list(faults.values())
            return OrbError("Events are invalid.", INVALID, validation_errors=said)
        failed = [
            {"idempotency_key": key, "validation_errors": [fault]} for key, fault in faults.items()
        ]
        return OrbError("Events are invalid.", INVALID, validation_failed=failed)

    def _changeable(self, key: str, how: str) -> Object:
        event = self.usage.get(key)
        if event is None:
            raise OrbError(f"Could not find an event with the id {key}.", NOT_THERE)
        of = (event["customer_id"], how)
        if event["deprecated"] or event["at"] < self.invoiced_until:
            raise OrbError("The event is of a period that is over.")
        if self.changes[of] >= CHANGES_ALLOWED:
            raise OrbError("100 events of a customer can be changed in 100 days: use a backfill.")
        self.changes[of] += 1
        return event

    def _open_backfill(self, backfill_id: str | None, now: datetime) -> Object | None:
        if backfill_id is None:
            return None
        backfill = self.find(backfill_id)
        if backfill not in self._pending(now):
            raise OrbError("The backfill is closed.")
        return backfill

    def _pending(self, now: datetime) -> list[Object]:
        """Backfills that are open; those whose time is over close by themselves."""
        for backfill in self.all("backfill"):
            if backfill["status"] == "pending" and when(backfill["close_time"]) <= now:
                backfill["status"] = "reflected"
        return [backfill for backfill in self.all("backfill") if backfill["status"] == "pending"]
