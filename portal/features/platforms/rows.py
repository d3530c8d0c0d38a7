"""Platforms, streams, parked dispatches and differences as rows. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from backend_client.types.platforms import (
    Dispatch,
    PlatformConnection,
    PlatformCursor,
    PlatformDrift,
    PlatformMode,
    PlatformStatus,
    RemoteObject,
)
from portal.kit.formatting import ago, count, date

_CAUSES = {
    "billed_twice": "Billed twice",
    "counted_otherwise": "Counted otherwise",
    "credit_differs": "Credit differs",
    "credit_drawn_there": "Paid by credit there",
    "credit_in_units": "Credit in other units",
    "credit_unknown_here": "Credit unknown here",
    "credited_there": "Credited there",
    "disputed": "Disputed",
    "edited_there": "Edited there",
    "gone_there": "Gone there",
    "not_queued": "Not queued",
    "not_sent": "Not sent",
    "outside_window": "Too old to send",
    "paid_twice": "Paid twice",
    "payment_failed": "Payment failed",
    "period_differs": "Another period",
    "plan_changed": "Plan changed",
    "rated_otherwise": "Rated otherwise",
    "refunded_there": "Refunded there",
    "refused": "Refused",
    "unknown_here": "Unknown here",
    "unpaid_there": "Not paid there any more",
    "voided_there": "Voided there",
    "written_off_there": "Given up there",
}


@dataclass(frozen=True)
class PlatformRow:
    """A platform in one line; ``behind`` if anything waits for a person."""

    name: str
    state: str
    behind: bool
    tenants: str
    waiting: str
    refused: str
    webhooks: str


@dataclass(frozen=True)
class ConnectionRow:
    """A customer from whom a platform collects; ``open`` until it ends."""

    tenant_id: str
    customer: str
    platform: str
    mode: str
    since: str
    open: bool


@dataclass(frozen=True)
class ObjectRow:
    """What a platform calls something of a customer's."""

    key: str
    platform: str
    kind: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class StreamRow:
    """How far a customer's stream is sent."""

    customer: str
    stream: str
    waiting: str
    oldest: str
    refused: str


@dataclass(frozen=True)
class ParkedRow:
    """What a platform refused, and why."""

    id: str
    customer: str
    what: str
    reason: str
    since: str


@dataclass(frozen=True)
class DriftRow:
    """What a platform has otherwise."""

    customer: str
    cause: str
    detail: str
    ours: str
    theirs: str
    since: str


def platform_row(status: PlatformStatus) -> PlatformRow:
    """A platform as the table shows it."""
    behind = bool(status.refused or status.inbox_failed or status.drift)
    state = "Needs you" if behind else "Works"
    lag = f", for {count(round(status.lag_seconds))} s" if status.waiting else ""
    return PlatformRow(
        name=status.platform.capitalize(),
        state=state if status.configured else "No key is set",
        behind=behind,
        tenants=count(status.connections),
        waiting=f"{count(status.waiting)}{lag}",
        refused=count(status.refused),
        webhooks=f"{count(status.inbox_waiting)} waiting, {count(status.inbox_failed)} failed",
    )


def connection_row(
    connection: PlatformConnection, names: Mapping[str, str], now: datetime
) -> ConnectionRow:
    """A connection as the table shows it."""
    by_usage = connection.mode == PlatformMode.USAGE
    ends = connection.ends_at
    began = "From" if connection.starts_at > now else "Since"
    until = "" if ends is None else f", until {date(ends, 'UTC')}"
    return ConnectionRow(
        tenant_id=connection.tenant_id,
        customer=names.get(connection.tenant_id, connection.tenant_id),
        platform=connection.platform.capitalize(),
        mode="Rates usage" if by_usage else "Collects our invoices",
        since=f"{began} {date(connection.starts_at, 'UTC')}{until}",
        open=ends is None,
    )


def object_row(item: RemoteObject) -> ObjectRow:
    """A mapping as the table shows it."""
    return ObjectRow(
        key=f"{item.platform} {item.kind} {item.own_id}",
        platform=item.platform.capitalize(),
        kind=item.kind.replace("_", " ").capitalize(),
        ours=item.own_id,
        theirs=item.remote_id,
    )


def stream_row(cursor: PlatformCursor, names: Mapping[str, str], now: datetime) -> StreamRow:
    """A stream as the table shows it."""
    oldest = cursor.oldest_waiting_at
    return StreamRow(
        customer=names.get(cursor.tenant_id, cursor.tenant_id),
        stream=cursor.stream.capitalize(),
        waiting=count(cursor.waiting),
        oldest="" if oldest is None else ago(oldest, now),
        refused=count(cursor.refused),
    )


def parked_row(dispatch: Dispatch, names: Mapping[str, str], now: datetime) -> ParkedRow:
    """A parked dispatch as the table shows it."""
    return ParkedRow(
        id=dispatch.id,
        customer=names.get(dispatch.tenant_id, dispatch.tenant_id),
        what=f"{dispatch.action.replace('_', ' ').capitalize()}: {dispatch.subject}",
        reason=dispatch.reason or "",
        since=ago(dispatch.created_at, now),
    )


def drift_row(drift: PlatformDrift, names: Mapping[str, str], now: datetime) -> DriftRow:
    """A difference as the table shows it."""
    return DriftRow(
        customer=names.get(drift.tenant_id, drift.tenant_id),
        cause=_CAUSES.get(drift.cause, drift.cause.replace("_", " ").capitalize()),
        detail=drift.detail,
        ours=drift.ours or "–",
        theirs=drift.theirs or "–",
        since=ago(drift.first_seen_at, now),
    )
