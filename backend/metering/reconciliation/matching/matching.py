"""Compare a provider's numbers with the metered ones. Pure: no database, no clock, no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, localcontext

from backend.metering.reconciliation.exports.parsing import ALL, Sums
from backend.metering.reconciliation.matching.amount_causes import cause_of_amount
from backend.metering.reconciliation.matching.causes import causes_of_quantities
from backend.metering.reconciliation.matching.evidence import Difference, Evidence
from backend.metering.reconciliation.meters import (
    NOT_USAGE,
    PROMPT,
    Place,
    metered_as,
    whole_prompts,
)
from backend_client.types.reconciliation import DiscrepancyCause, DiscrepancyKind, Tolerance

# Enough digits that no sum or product here is rounded; only shares and prices in explanations are.
_COMPARING = Context(prec=120, traps=[InvalidOperation, DivisionByZero])
_KEPT = Decimal(1).scaleb(-18)  # of an expected amount that is a quotient


@dataclass(frozen=True, slots=True)
class MatchedDiscrepancy:
    """A difference beyond the tolerance, with its likely cause."""

    place: Place
    kind: DiscrepancyKind
    provider: Decimal
    metered: Decimal | None
    cause: DiscrepancyCause
    explanation: str

    @property
    def difference(self) -> Decimal:
        """The provider's value less the metered one."""
        with localcontext(_COMPARING):
            return self.provider - (self.metered or Decimal(0))


@dataclass(frozen=True, slots=True)
class Matching:
    """The outcome: what differs, how many places agree, and the sums of money.

    ``expected`` is None if a rate is missing for anything billed.
    """

    discrepancies: tuple[MatchedDiscrepancy, ...]
    matched: int
    billed: Decimal | None
    expected: Decimal | None
    totals: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)


def match(
    provided: Mapping[Place, Sums], metered: Mapping[Place, Decimal], evidence: Evidence
) -> Matching:
    """Compare every day, model and meter that either side has.

    ``metered`` has only the models and days of the import. A meter that the export never mentions
    is not compared: an export of tokens says nothing about requests.
    """
    with localcontext(_COMPARING):
        differences, agreed, totals = _quantities(provided, metered, evidence.tolerance)
        at = {difference.place: difference for difference in differences}
        causes = causes_of_quantities(differences, evidence)
        quantities = [
            MatchedDiscrepancy(
                difference.place,
                DiscrepancyKind.QUANTITY,
                difference.provider,
                difference.metered,
                *causes[difference],
            )
            for difference in differences
        ]
        amounts, agreed_amounts, billed, expected = _amounts(provided, metered, at, evidence)
    return Matching(
        discrepancies=tuple(
            sorted(
                [*quantities, *amounts],
                key=lambda discrepancy: (discrepancy.place, discrepancy.kind),
            )
        ),
        matched=agreed + agreed_amounts,
        billed=billed,
        expected=expected,
        totals=totals,
    )


def within(provider: Decimal, metered: Decimal, tolerance: Tolerance, smallest: Decimal) -> bool:
    """Return whether two values agree within a part of the larger one, or within ``smallest``."""
    allowed = max(smallest, tolerance.relative * max(abs(provider), abs(metered)))
    return abs(provider - metered) <= allowed


def _quantities(
    provided: Mapping[Place, Sums], metered: Mapping[Place, Decimal], tolerance: Tolerance
) -> tuple[list[Difference], int, dict[str, tuple[Decimal, Decimal]]]:
    provider_quantities: dict[Place, Decimal] = {}
    for place, sums in provided.items():
        if sums.quantity is not None:
            where = metered_as(place, metered)
            before = provider_quantities.get(where, Decimal(0))
            provider_quantities[where] = before + sums.quantity
    meters = {meter for _, _, meter in provider_quantities}
    if PROMPT in meters:
        metered = {**metered, **whole_prompts(metered)}
    differences: list[Difference] = []
    agreed = 0
    totals: dict[str, tuple[Decimal, Decimal]] = {}
    for place in sorted(
        provider_quantities.keys() | {place for place in metered if place[2] in meters}
    ):
        theirs, ours = provider_quantities.get(place, Decimal(0)), metered.get(place, Decimal(0))
        total = totals.get(place[2], (Decimal(0), Decimal(0)))
        totals[place[2]] = (total[0] + theirs, total[1] + ours)
        if within(theirs, ours, tolerance, tolerance.units):
            agreed += 1
        else:
            differences.append(Difference(place, theirs, ours))
    return differences, agreed, totals


def _amounts(
    provided: Mapping[Place, Sums],
    metered: Mapping[Place, Decimal],
    differences: Mapping[Place, Difference],
    evidence: Evidence,
) -> tuple[list[MatchedDiscrepancy], int, Decimal | None, Decimal | None]:
    billed: dict[Place, list[tuple[Place, Sums]]] = {}
    for place, sums in sorted(provided.items(), key=lambda item: item[0]):
        if sums.amount is not None:
            billed.setdefault(metered_as(place, metered), []).append((place, sums))
    days: dict[date, list[tuple[str, str, Decimal]]] = {}
    for (day, model, meter), quantity in metered.items():
        days.setdefault(day, []).append((model, meter, quantity))
    discrepancies: list[MatchedDiscrepancy] = []
    agreed = 0
    total: Decimal | None = None
    expected_total: Decimal | None = Decimal(0) if billed else None
    for place, lines in billed.items():
        amount = sum((sums.amount or Decimal(0) for _, sums in lines), Decimal(0))
        total = (total or Decimal(0)) + amount
        if place[2] in NOT_USAGE:
            expected: Decimal | None = Decimal(0)
        elif all(where == place and not sums.tiers for where, sums in lines):
            expected = _expected(place, days.get(place[0], ()), evidence)
        else:
            expected = _expected_of_lines(lines, amount, metered.get(place), evidence)
        if expected is None or expected_total is None:
            expected_total = None
        else:
            expected_total += expected
        if expected is not None and within(
            amount, expected, evidence.tolerance, evidence.tolerance.amount
        ):
            agreed += len(lines)
            continue
        cause, explanation = cause_of_amount(
            place, amount, expected, provided, metered, differences.get(place), evidence
        )
        discrepancies.append(
            MatchedDiscrepancy(place, DiscrepancyKind.AMOUNT, amount, expected, cause, explanation)
        )
    return discrepancies, agreed, total, expected_total


def _expected(
    place: Place, metered: Iterable[tuple[str, str, Decimal]], evidence: Evidence
) -> Decimal | None:
    """Return the cost of the day's metered usage at the known rates; None if a rate is missing."""
    day, model, meter = place
    total = Decimal(0)
    for which, what, quantity in metered:
        if model in (ALL, which) and meter in (ALL, what):
            rate = evidence.rate(day, which, what)
            if rate is None and what != "requests":
                return None
            total += quantity * (rate or Decimal(0))
    return total


def _expected_of_lines(
    lines: Iterable[tuple[Place, Sums]],
    amount: Decimal,
    metered: Decimal | None,
    evidence: Evidence,
) -> Decimal | None:
    """Return what the metered quantity costs if it is divided over the lines as they are billed.

    For lines at several rates (a cache written, a batch, a long context) of what is metered as one:
    each amount, at its own rate, says how many units it is for. None if a rate is missing.
    """
    units = Decimal(0)
    for (day, model, meter), sums in lines:
        standard = (sums.amount or Decimal(0)) - sum(sums.tiers.values())
        for tier, part in (*sums.tiers.items(), ("", standard)):
            if not part:
                continue
            rate = evidence.rate(day, model, meter, tier)
            if not rate:
                return None
            units += part / rate
    if not units or metered is None:
        return Decimal(0)
    return (amount * metered / units).quantize(_KEPT)
