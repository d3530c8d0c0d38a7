"""A test clock, and what happened by it, as its page shows them. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backend_client.types.notifications import Notification, NotificationKind
from backend_client.types.test_clocks import TestClock, TestClockState
from portal.kit.color import Color
from portal.kit.formatting import second

_WORDS = {
    NotificationKind.INVOICE_FINALIZED: "Invoice issued",
    NotificationKind.INVOICE_REMINDER: "Reminder of an overdue invoice",
    NotificationKind.INVOICE_SUSPENDED: "Calls refused: an invoice is long overdue",
    NotificationKind.INVOICE_PAID: "Invoice paid",
    NotificationKind.CREDIT_NOTE_ISSUED: "Credit note issued",
    NotificationKind.WALLET_LOW_BALANCE: "Little credit is left",
    NotificationKind.WALLET_TOP_UP_REQUESTED: "Top-up asked for",
    NotificationKind.WALLET_TOP_UP_FAILED: "Top-up failed",
    NotificationKind.BUDGET_REACHED: "A budget of calls is used",
    NotificationKind.DEPARTMENT_BUDGET_REACHED: "A department’s budget is spent",
    NotificationKind.QUOTA_REACHED: "A quota is used up, or nearly",
    NotificationKind.KEY_BUDGET_REACHED: "A key’s budget is spent, or nearly",
    NotificationKind.KEY_CREATED: "API key made",
    NotificationKind.KEY_ROTATED: "API key got a new secret",
    NotificationKind.KEY_REVOKED: "API key revoked",
    NotificationKind.WEBHOOK_DISABLED: "A failing webhook was disabled",
    NotificationKind.INVITATION_CREATED: "Invitation made",
    NotificationKind.KEY_LEAKED: "A leaked API key was ended",
}


_STATES: Final[Mapping[TestClockState, tuple[str, Color]]] = {
    TestClockState.READY: ("Ready", "green"),
    TestClockState.ADVANCING: ("Advancing", "blue"),
    TestClockState.FAILED: ("Stopped", "red"),
}


@dataclass(frozen=True)
class ClockView:
    """Where a clock stands; ``target`` is empty unless it is to go on."""

    at: str = ""
    state: str = ""
    words: str = ""
    color: Color = "gray"
    target: str = ""
    problem: str = ""


@dataclass(frozen=True)
class HappenedRow:
    """Something that came to pass: when by the customer's clock, what, and about which thing."""

    id: str
    at: str
    what: str
    about: str


def clock_view(clock: TestClock, time_zone: str) -> ClockView:
    """A clock as the page shows it."""
    return ClockView(
        at=second(clock.at, time_zone),
        state=clock.state.value,
        words=_STATES[clock.state][0],
        color=_STATES[clock.state][1],
        target="" if clock.target is None else second(clock.target, time_zone),
        problem=clock.problem or "",
    )


def is_on_its_way(clock: TestClock) -> bool:
    """Whether it moves just now."""
    return clock.state is TestClockState.ADVANCING


def happened_row(notification: Notification, time_zone: str) -> HappenedRow:
    """A notification as something that came to pass."""
    event = notification.event
    data = event.data.model_dump(mode="json")
    return HappenedRow(
        id=notification.id,
        at=second(event.timestamp, time_zone),
        what=_WORDS.get(event.type, event.type.value),
        about=str(data.get("number") or data.get("step") or data.get("name") or ""),
    )
