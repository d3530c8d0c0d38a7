"""Prepaid credit as the credit page shows it: grants as they burn, the ledger, what was bought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from backend_client.types.common import plain
from backend_client.types.wallets import (
    CreditGrant,
    CreditKind,
    LedgerEntry,
    TenantTopUp,
    TopUp,
    TopUpRule,
)
from portal import routes
from portal.kit.color import Color
from portal.kit.formatting import date, exact_money, money, second

SOON = timedelta(days=14)
"""What expires within it stands out."""
_NEVER = datetime.max.replace(tzinfo=UTC)
INVOICE = "inv_"
"""What the id of an invoice begins with."""
KINDS: dict[str, tuple[str, Color]] = {
    CreditKind.PROMOTIONAL: ("Promotional", "green"),
    CreditKind.PAID: ("Purchased", "blue"),
}
ORIGINS = {
    "operator": "",
    "plan": "by the plan",
    "top_up": "by a top-up",
    "contract": "by a contract",
}
STATES: dict[str, tuple[str, Color]] = {
    "pending": ("Pending", "orange"),
    "paid": ("Paid", "green"),
    "failed": ("Failed", "red"),
}
MOVES = {
    ("granted", "available"): "Granted",
    ("available", "granted"): "Taken back: the plan was left",
    ("available", "reserved"): "Reserved for a call",
    ("reserved", "available"): "Released after a call",
    ("reserved", "used"): "Used by a call",
    ("available", "used"): "Used",
    ("used", "available"): "Returned",
    ("available", "expired"): "Expired",
    ("expired", "available"): "Valid again: its invoice was issued again",
    ("available", "refunded"): "Refunded",
}


@dataclass(frozen=True)
class GrantRow:
    """A grant; ``place`` is when it burns, empty for one that is used up or to come."""

    id: str
    place: str
    name: str
    kind: str
    color: Color
    about: str
    left: str
    amount: str
    where: str
    last_day: str
    soon: bool
    refundable: bool


@dataclass(frozen=True)
class LedgerRow:
    """A movement of credit."""

    number: str
    day: str
    time: str
    what: str
    grant: str
    cause: str
    document: str
    """Where the invoice that is the cause is shown, if one is."""
    amount: str


@dataclass(frozen=True)
class TopUpRow:
    """Credit that was asked for, and what became of the payment."""

    id: str
    tenant_id: str
    customer: str
    asked: str
    how: str
    amount: str
    state: str
    color: Color
    done: str
    document: str


def burn_order(grants: Iterable[CreditGrant]) -> list[CreditGrant]:
    """Grants as they burn: soonest expiry, lower priority, given before bought, oldest."""
    return sorted(
        grants,
        key=lambda grant: (
            grant.expires_at or _NEVER,
            grant.priority,
            grant.kind is CreditKind.PAID,
            grant.starts_at,
            grant.id,
        ),
    )


def grant_rows(
    grants: Iterable[CreditGrant], currency: str, time_zone: str, now: datetime
) -> tuple[list[GrantRow], list[GrantRow]]:
    """The grants that have something left, as they burn, and those that are used up or over."""
    left: list[GrantRow] = []
    over: list[GrantRow] = []
    place = 0
    for grant in burn_order(grants):
        ended = grant.expires_at is not None and grant.expires_at <= now
        has_some = bool(grant.available or grant.reserved) and (grant.in_arrears or not ended)
        usable = has_some and grant.starts_at <= now and not ended
        place += usable
        (left if has_some else over).append(
            _grant_row(grant, str(place) if usable else "", currency, time_zone, now)
        )
    # What is to come, or waits for its invoice, has no place among what can be used now
    return sorted(left, key=lambda row: row.place == ""), over


def ledger_row(
    entry: LedgerEntry, names: Mapping[str, str], currency: str, time_zone: str
) -> LedgerRow:
    """A movement of credit; ``names`` are the grants'."""
    day, _, time = second(entry.at, time_zone).rpartition(", ")
    move = (entry.source, entry.target)
    # Of what can be spent: what was held already is not taken from it again
    sign = "+" if entry.target == "available" else "−" if entry.source == "available" else ""
    return LedgerRow(
        number=str(entry.number),
        day=day,
        time=time,
        what=MOVES.get(move, f"{entry.source} to {entry.target}".capitalize()),
        grant=names.get(entry.grant, entry.grant),
        cause=entry.cause,
        document=routes.invoice(entry.cause) if entry.cause.startswith(INVOICE) else "",
        amount=sign + exact_money(entry.amount, currency),
    )


def top_up_row(top_up: TopUp, currency: str, time_zone: str) -> TopUpRow:
    """Credit that was asked for, as the list shows it."""
    state, color = STATES[top_up.state]
    done = "" if top_up.done_at is None else date(top_up.done_at, time_zone)
    if top_up.reference:
        done = f"{done}, {top_up.reference}"
    return TopUpRow(
        id=top_up.id,
        tenant_id=top_up.tenant_id if isinstance(top_up, TenantTopUp) else "",
        customer=top_up.tenant_name if isinstance(top_up, TenantTopUp) else "",
        asked=second(top_up.asked_at, time_zone),
        how="Automatic" if top_up.automatic_on else "Manual",
        amount=money(top_up.amount, currency),
        state=state,
        color=color,
        done=done,
        document=top_up.invoice_id or "",
    )


def rule_note(rule: TopUpRule | None, currency: str) -> str:
    """The automatic top-up, in a sentence."""
    if rule is None:
        return "No automatic top-up."
    amount, threshold, ceiling = (
        money(value, currency) for value in (rule.amount, rule.threshold, rule.daily_ceiling)
    )
    return f"{amount} is added when the balance falls below {threshold}, at most {ceiling} a day."


def last_day(expires_at: datetime | None, time_zone: str) -> str:
    """The last day on which credit can be used."""
    if expires_at is None:
        return "Never expires"
    return date(expires_at - timedelta(microseconds=1), time_zone)


def balance_note(spendable: Decimal, currency: str) -> str:
    """What the balance is to its last digit, where it is shown rounded."""
    exact = exact_money(spendable, currency)
    return "Can be used now" if exact == money(spendable, currency) else f"Exactly {exact}"


def purpose(*, prepaid: bool | None) -> str:
    """What the credit is for; ``prepaid`` is what the plan is, None where it is not known."""
    if prepaid:
        return (
            "This plan is prepaid: each call takes what it costs from this credit, and calls are "
            "refused when it is used up."
        )
    if prepaid is False:
        return (
            "This plan is billed after use. Calls need no credit; available credit pays "
            "invoices first."
        )
    return "Credit pays for calls on prepaid plans, and for invoices on others."


def _grant_row(
    grant: CreditGrant, place: str, currency: str, time_zone: str, now: datetime
) -> GrantRow:
    kind, color = KINDS[grant.kind]
    notes = [ORIGINS.get(grant.origin, grant.origin)]
    if grant.models:
        notes.append("for " + ", ".join(grant.models) + " only")
    if grant.starts_at > now:
        notes.append(f"from {date(grant.starts_at, time_zone)}")
    if grant.in_arrears:
        ended = grant.expires_at is not None and grant.expires_at <= now
        waits = ended and grant.available
        notes.append(
            "waits for the invoice of its time" if waits else "pays the invoices of its time"
        )
    if grant.rollover_percent is not None and grant.rollover_months is not None:
        months = f"{grant.rollover_months} month{'s' if grant.rollover_months > 1 else ''}"
        notes.append(f"{plain(grant.rollover_percent)}% of the rest rolls over for {months}")
    if grant.rolled_over:
        notes.append(f"{money(grant.rolled_over, currency)} rolled over")
    if grant.priority != 100:
        notes.append(f"priority {grant.priority}")
    parts = (
        ("used", grant.used),
        ("reserved", grant.reserved),
        ("expired", grant.expired),
        ("refunded", grant.refunded),
    )
    return GrantRow(
        id=grant.id,
        place=place,
        name=grant.name,
        kind=kind,
        color=color,
        about=", ".join(note for note in notes if note),
        left=exact_money(grant.available, currency),
        amount=exact_money(grant.amount, currency),
        where=", ".join(
            f"{exact_money(amount, currency)} {name}" for name, amount in parts if amount
        ),
        last_day=last_day(grant.expires_at, time_zone),
        soon=grant.expires_at is not None and now < grant.expires_at <= now + SOON,
        refundable=grant.kind is CreditKind.PAID and grant.available > 0,
    )
