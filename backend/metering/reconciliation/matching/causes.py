"""Likely causes of different quantities, from patterns in both sides' numbers. Pure.

Each finder looks for one pattern and explains what it saw. They are tried from the most particular
to the most general, and the first that recognizes a difference names it; a guess would be worse
than ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from backend.metering.reconciliation.matching.evidence import (
    Difference,
    Evidence,
    Explained,
    percent,
)
from backend.metering.reconciliation.matching.time_zones import time_zone_cuts
from backend.metering.reconciliation.meters import CACHED, INPUT, REQUESTS, Place
from backend_client.types.common import plain
from backend_client.types.reconciliation import DiscrepancyCause as Cause

_ALIKE = Decimal("0.25")  # how far apart two shares may be that have one cause
_ABOUT = Decimal("0.05")


def causes_of_quantities(
    differences: Sequence[Difference], evidence: Evidence
) -> dict[Difference, Explained]:
    """Name the likely cause of each difference, with a sentence that explains it."""
    at = {difference.place: difference for difference in differences}
    zones = time_zone_cuts(differences, evidence)
    names = _other_names(differences)
    return {
        difference: (
            names.get(difference.place[1])
            or _cached_as_fresh(difference, at)
            or zones.get((difference.place[1], difference.place[2]))
            or _retries(difference, at, evidence)
            or _missing(difference, at)
            or (Cause.UNKNOWN, "Nothing in the numbers shows why.")
        )
        for difference in differences
    }


def _other_names(differences: Sequence[Difference]) -> dict[str, Explained]:
    """Find one-sided models whose quantities equal those of one of the other side."""
    one_sided: dict[str, dict[tuple[date, str], Decimal]] = {}
    sides: dict[str, set[str]] = {}
    for difference in differences:
        day, model, meter = difference.place
        side = (
            "provider"
            if difference.metered == 0
            else "metered"
            if difference.provider == 0
            else "both"
        )
        sides.setdefault(model, set()).add(side)
        one_sided.setdefault(model, {})[day, meter] = max(difference.provider, difference.metered)
    theirs = [model for model, seen in sides.items() if seen == {"provider"}]
    ours = [model for model, seen in sides.items() if seen == {"metered"}]
    causes: dict[str, Explained] = {}
    for model in theirs:
        for other in ours:
            if one_sided[model] == one_sided[other]:
                causes[model] = (
                    Cause.OTHER_NAME,
                    f"Farebox metered the same quantities as {other!r}: map it in models, so that "
                    f"{model!r} is that one.",
                )
                causes[other] = (Cause.OTHER_NAME, f"The provider calls it {model!r}.")
    return causes


def _cached_as_fresh(difference: Difference, at: Mapping[Place, Difference]) -> Explained | None:
    day, model, meter = difference.place
    if meter not in (INPUT, CACHED):
        return None
    fresh, cached = at.get((day, model, INPUT)), at.get((day, model, CACHED))
    if fresh is None or cached is None or fresh.excess * cached.excess >= 0:
        return None
    moved = min(abs(fresh.excess), abs(cached.excess))
    if abs(fresh.excess + cached.excess) > _ABOUT * moved:
        return None
    if fresh.excess > 0:
        return (
            Cause.CACHED_AS_FRESH,
            f"The input as a whole agrees, but the provider counted {plain(moved)} tokens as fresh "
            "that were metered as cached.",
        )
    return (
        Cause.CACHED_AS_FRESH,
        f"The input as a whole agrees, but {plain(moved)} tokens that the provider counted as "
        "cached were metered as fresh.",
    )


def _retries(
    difference: Difference, at: Mapping[Place, Difference], evidence: Evidence
) -> Explained | None:
    day, model, _ = difference.place
    failed = evidence.failed.get((day, model), Decimal(0))
    requests = at.get((day, model, REQUESTS))
    if difference.excess <= 0 or requests is None or failed == 0:
        return None
    if abs(requests.excess - failed) > max(Decimal(1), _ABOUT * failed):
        return None
    return (
        Cause.RETRIES_BILLED_TWICE,
        f"The provider counted {plain(requests.excess)} more calls, and {plain(failed)} calls of "
        "the day failed or were given up here: they were retried, and counted both times.",
    )


def _missing(difference: Difference, at: Mapping[Place, Difference]) -> Explained | None:
    day, model, meter = difference.place
    if difference.excess < 0:
        return (
            Cause.METERED_ONLY,
            "Farebox metered more than the provider counted: another provider served it, the "
            "export leaves something out, or events were sent under two ids.",
        )
    requests = at.get((day, model, REQUESTS))
    share = difference.excess / difference.provider
    if difference.metered == 0:
        return (Cause.MISSING_EVENTS, "Farebox has no usage of this day, model and meter.")
    if requests is None or meter == REQUESTS:
        if meter == REQUESTS:
            return (
                Cause.MISSING_EVENTS,
                f"{plain(difference.excess)} of {plain(difference.provider)} calls are not in "
                "Farebox.",
            )
        return None
    missing = requests.excess / requests.provider if requests.provider else Decimal(0)
    if requests.excess > 0 and abs(share - missing) <= _ALIKE * max(share, missing):
        return (
            Cause.MISSING_EVENTS,
            f"{percent(share)} of it is not in Farebox, nor are {percent(missing)} of the "
            "calls: their events never arrived.",
        )
    return None
