"""Usage: meters, their events by identifier, cancels, and daily sums."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.support.stripe.objects import Object, Store, StripeError, page


@dataclass
class Usage(Store):
    """Keeps meter events; an identifier is known for a day."""

    meter_events: dict[str, Object] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)
    """Identifiers that the stream takes, and finds unusable later."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._token = ("", datetime.min.replace(tzinfo=UTC))

    def session_token(self, now: datetime) -> str:
        token, until = self._token
        return token if now < until else "a token that has run out"

    def _post_billing_meter_event_session(self, values: Object, now: datetime) -> Object:
        until = now + timedelta(minutes=15)
        self._token = (f"token-{next(self.numbers)}", until)
        return {
            "id": "mes_1",
            "object": "v2.billing.meter_event_session",
            "authentication_token": self._token[0],
            "created": now.isoformat().replace("+00:00", "Z"),
            "expires_at": until.isoformat().replace("+00:00", "Z"),
            "livemode": False,
        }

    def _post_billing_meter_event_stream(self, values: Object, now: datetime) -> Object:
        if len(values["events"]) > 100:
            raise StripeError("At most 100 events a request")
        identifiers = [event["identifier"] for event in values["events"]]
        if len(set(identifiers)) < len(identifiers):
            raise StripeError("An identifier is given twice", "duplicate_meter_event")
        for identifier in identifiers:
            self._refuse_repetition(identifier, now)
        for event in values["events"]:
            at = datetime.fromisoformat(event["timestamp"])
            self.meter_events[event["identifier"]] = {**event, "at": at, "received": now}
        return {}

    def _post_billing_meter_events(self, values: Object, now: datetime) -> Object:
        self._refuse_repetition(values["identifier"], now)
        at = datetime.fromtimestamp(values["timestamp"], UTC)
        if not now - timedelta(days=35) <= at <= now + timedelta(minutes=5):
            raise StripeError("The timestamp is out of the window", "timestamp_too_far_in_past")
        if self._meter_of(values["event_name"]) is None:
            raise StripeError(f"No meter has the event name {values['event_name']}", "no_meter")
        Decimal(values["payload"]["value"])
        self.meter_events[values["identifier"]] = {**values, "at": at, "received": now}
        return {"object": "billing.meter_event", "livemode": False, **values}

    def _post_billing_meter_event_adjustments(self, values: Object, now: datetime) -> Object:
        identifier = values["cancel"]["identifier"]
        event = self.meter_events.get(identifier)
        if event is None or now - event["received"] > timedelta(hours=24):
            raise StripeError("The event can't be cancelled any more")
        if identifier in self.cancelled:
            raise StripeError("The event is cancelled already")
        self.cancelled.add(identifier)
        return {"object": "billing.meter_event_adjustment", "status": "pending", **values}

    def _post_billing_meters(self, values: Object, now: datetime) -> Object:
        if self._meter_of(values["event_name"]):
            raise StripeError("A meter has this event name already")
        return self.add("mtr", "billing.meter", now, **values, status="active")

    def _get_billing_meters_event_summaries(
        self, values: Object, now: datetime, meter_id: str
    ) -> Object:
        sums: defaultdict[datetime, Decimal] = defaultdict(Decimal)
        for event in self.counted(self.find(meter_id), values["customer"]):
            if values["start_time"] <= event["at"].timestamp() < values["end_time"]:
                day = event["at"].replace(hour=0, minute=0, second=0, microsecond=0)
                sums[day] += Decimal(event["payload"]["value"])
        days = [
            {
                "id": f"mtrsum_{int(day.timestamp())}",
                "object": "billing.meter_event_summary",
                "meter": meter_id,
                "livemode": False,
                "start_time": int(day.timestamp()),
                "end_time": int((day + timedelta(days=1)).timestamp()),
                "aggregated_value": float(total),
            }
            for day, total in sorted(sums.items(), reverse=True)
        ]
        return page(days, values)

    def counted(self, meter: Object, customer: str) -> list[Object]:
        """The events of a customer that a meter adds up."""
        unusable = self.cancelled | self.unusable
        return [
            event
            for identifier, event in self.meter_events.items()
            if event["event_name"] == meter["event_name"]
            and event["payload"]["stripe_customer_id"] == customer
            and identifier not in unusable
        ]

    def reject(self, *identifiers: str, now: datetime) -> Object:
        """The stream finds events unusable after it took them; returns the thin event."""
        self.unusable |= set(identifiers)
        samples = [
            {"error_message": "No customer", "request": {"identifier": identifier}}
            for identifier in identifiers
        ]
        kind = {"code": "meter_event_customer_not_found", "sample_errors": samples}
        event = {
            "id": f"evt_{next(self.numbers):06d}",
            "object": "v2.core.event",
            "type": "v1.billing.meter.error_report_triggered",
            "created": now.isoformat().replace("+00:00", "Z"),
            "livemode": False,
            "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1"},
        }
        reason = {"error_count": len(samples), "error_types": [kind | {"error_count": 1}]}
        self.objects[event["id"]] = {**event, "data": {"reason": reason}}
        self.events.append(event)
        return event

    def _refuse_repetition(self, identifier: str, now: datetime) -> None:
        before = self.meter_events.get(identifier)
        if before is not None and now - before["received"] <= timedelta(hours=24):
            said = f"An event already exists with identifier {identifier}."
            raise StripeError(said, "duplicate_meter_event")

    def _meter_of(self, event_name: str) -> Object | None:
        meters = self.all("billing.meter")
        return next((meter for meter in meters if meter["event_name"] == event_name), None)
