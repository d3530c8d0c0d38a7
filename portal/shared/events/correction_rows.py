"""Corrections of events as people read them: who changed what, and why. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from backend_client.types.corrections import Correction
from backend_client.types.events import UsageData
from portal.kit.color import Color
from portal.kit.formatting import count, meter_name, second
from portal.shared.events.rows import amount, in_order

ACTIONS: dict[str, tuple[str, Color]] = {"void": ("Voided", "orange"), "amend": ("Amended", "blue")}


@dataclass(frozen=True)
class CorrectionRow:
    """A correction on record; ``changes`` tell what it made of the event, a line each."""

    id: str
    event: str
    source: str
    action: str
    color: Color
    when: str
    who: str
    reason: str
    waits: bool
    changes: list[str]


def correction_row(correction: Correction, time_zone: str) -> CorrectionRow:
    """A correction as lists show it."""
    action, color = ACTIONS[correction.action]
    waits = correction.applied_at is None
    return CorrectionRow(
        id=correction.id,
        event=correction.event.id,
        source=correction.event.source,
        action=action,
        color=color,
        when=second(correction.received_at, time_zone),
        who=correction.actor_name or correction.actor,
        reason=correction.reason,
        waits=waits,
        changes=[] if waits else data_changes(correction.before, correction.after),
    )


def data_changes(before: UsageData | None, after: UsageData | None) -> list[str]:
    """What differs between an event's data before and after, a line each; None is a void event."""
    if before is None:
        return ["It was void already." if after is None else "It counts again: " + _counts(after)]
    if after is None:
        return ["It counts for nothing; before: " + _counts(before)]
    changes = [
        f"{meter_name(meter)}: {_shown(before, meter)} → {_shown(after, meter)}"
        for meter in in_order({**before.quantities, **after.quantities})
        if before.quantities.get(meter) != after.quantities.get(meter)
    ]
    for name, was, now in (
        ("Model", before.model, after.model),
        ("Application", before.application, after.application),
        ("Key", before.key, after.key),
    ):
        if was != now:
            changes.append(f"{name}: {was or 'none'} → {now or 'none'}")
    changes += [
        f"Label {label}: {before.labels.get(label, 'none')} → {after.labels.get(label, 'none')}"
        for label in sorted({*before.labels, *after.labels})
        if before.labels.get(label) != after.labels.get(label)
    ]
    return changes or ["None: the values are the same."]


def _counts(data: UsageData) -> str:
    return ", ".join(amount(meter, data.quantities[meter]) for meter in in_order(data.quantities))


def _shown(data: UsageData, meter: str) -> str:
    quantity: Decimal | None = data.quantities.get(meter)
    return "none" if quantity is None else count(quantity)
