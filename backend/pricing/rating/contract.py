"""What a contract adds to a period's bill: commitment, overage discount, service credit. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from backend.pricing.money import ZERO, exact_arithmetic, round_to_minor_unit
from backend.pricing.rating.adjustments import Adjustment, Kind
from backend.pricing.rating.commitments import Commitment, ServiceBand, service_credit, settle
from backend.pricing.rating.rated_period import RatedPeriod, Stretch
from backend_client.types.charges import FlatCharge


@dataclass(frozen=True, slots=True)
class ContractPeriod:
    """One period of a contract: ``commitment``'s period number ``index``.

    ``counted_before`` has what counted in each earlier period. ``meters`` are those that a
    commitment in units counts, None for one in money. Of ``total`` calls ``good`` were answered.
    """

    id: str
    name: str
    commitment: Commitment | None
    index: int
    counted_before: tuple[Decimal, ...]
    meters: frozenset[str] | None = None
    bands: tuple[ServiceBand, ...] = ()
    good: int = 0
    total: int = 0


def counted(
    rated: RatedPeriod, stretches: Iterable[Stretch], meters: frozenset[str] | None
) -> Decimal:
    """Return what of a period counts towards a commitment: what it costs, or units of ``meters``.

    Units count while a plan is in force. A yearly fee counts in each period with the part of its
    year.
    """
    if meters is None:
        return max(rated.accrued, ZERO)
    with exact_arithmetic():
        return sum(
            (
                used.quantity
                for stretch in stretches
                if stretch.plan is not None
                for used in stretch.usage
                if used.meter in meters
            ),
            ZERO,
        )


def apply_contract(
    rated: RatedPeriod, stretches: Iterable[Stretch], contract: ContractPeriod
) -> RatedPeriod:
    """Return the period with the contract's adjustments.

    The discount on overage and the true-up follow from what counted; the service credit is a share
    of what usage cost, and comes off last. Neither takes off more than the period costs.
    """
    currency = rated.currency
    amounts: list[tuple[Kind, Decimal]] = []
    with exact_arithmetic():
        if contract.commitment is not None:
            now = counted(rated, stretches, contract.meters)
            outcome = settle(contract.commitment, [*contract.counted_before, now], currency)[-1]
            amounts += [("overage_discount", max(outcome.discount, -max(rated.accrued, ZERO)))]
            amounts += [("true_up", outcome.true_up)]
        left = rated.accrued + sum((amount for _, amount in amounts), ZERO)
        base = sum(
            (line.amount for line in rated.lines if not isinstance(line.charge, FlatCharge)), ZERO
        )
        credit = service_credit(contract.good, contract.total, contract.bands, base, currency)
        amounts.append(("service_credit", -min(credit, max(left, ZERO))))
        names: dict[Kind, str] = {
            "overage_discount": f"{contract.name}: discount beyond the commitment",
            "true_up": f"{contract.name}: missing to the commitment",
            "service_credit": f"{contract.name}: credit for missed service",
        }
        adjustments = tuple(
            Adjustment(kind, contract.id, names[kind], "", 0, amount, amount)
            for kind, amount in amounts
            if amount
        )
        added = sum((amount for _, amount in amounts), round_to_minor_unit(ZERO, currency))
        return replace(
            rated,
            adjustments=(*rated.adjustments, *adjustments),
            exact_total=rated.exact_total + added,
            total=rated.total + added,
            accrued=rated.accrued + added,
        )
