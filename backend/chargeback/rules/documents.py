"""What is divided: invoices and credit notes, line by line; and the parts of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from backend.chargeback.rules.tree import Path
from backend.invoices.rules.lines import CHARGE, Item
from backend_client.types.chargeback import SharedCost

TAX: Final = "tax"

_SHARED: Final = {
    "minimum": SharedCost.MINIMUM,
    "true_up": SharedCost.COMMITMENT,
    "maximum": SharedCost.REDUCTION,
    "discount": SharedCost.REDUCTION,
    "trial": SharedCost.REDUCTION,
    "coupon": SharedCost.REDUCTION,
    "overage_discount": SharedCost.REDUCTION,
    "service_credit": SharedCost.REDUCTION,
}


@dataclass(frozen=True, slots=True)
class CostKey:
    """The subject of costs: the same in each invoice that asks for it, or gives it back.

    ``start`` to ``end`` is the billing period that it is for, ``cut`` the part of it that a charge
    priced (a trial, say) if the line tells. An invoice of a part of a period has keys of its own,
    its ``series``, since the closing invoice takes it off again as a whole.
    """

    start: datetime
    end: datetime
    item: Item
    cut: tuple[datetime, datetime] | None = None
    series: str = ""


@dataclass(frozen=True, slots=True)
class CostLine:
    """An amount to divide, before tax. ``shared`` is None for a charge that prices usage.

    ``unit`` is the meter that the charge counts, if it is one.
    """

    line: int | None
    key: CostKey
    name: str
    amount: Decimal
    quantity: Decimal | None = None
    shared: SharedCost | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class CostDocument:
    """An invoice, a credit note (amounts below zero), or the draft of the next invoice.

    ``month`` to ``month_end`` is the billing period of the invoice; ``taxes`` are on top of the
    lines. A draft has no ``number``.
    """

    id: str
    number: str | None
    invoice_id: str
    month: datetime
    month_end: datetime
    lines: Sequence[CostLine]
    taxes: Sequence[tuple[str, Decimal]] = ()

    def with_fees(self, is_flat: Callable[[CostKey], bool]) -> CostDocument:
        """Return the same with its flat fees known where the lines don't say that they are."""
        lines = [
            replace(line, shared=SharedCost.FEE)
            if line.shared is None and is_flat(line.key)
            else line
            for line in self.lines
        ]
        return replace(self, lines=lines)


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a line, for one place in the tree, or for nobody.

    ``amount`` is tax where the key's kind is. ``charged`` is at the transfer price. An
    ``adjustment`` corrects an earlier month. Without a ``document`` it moves costs within a line
    that was divided before, and with its like adds up to nothing.
    """

    document: str
    number: str | None
    line: int | None
    key: CostKey
    name: str
    path: Path
    amount: Decimal
    charged: Decimal
    quantity: Decimal | None
    shared: SharedCost | None
    adjustment: bool
    unit: str | None = None

    @property
    def cost(self) -> Decimal:
        """The amount before tax."""
        return Decimal(0) if self.is_tax else self.amount

    @property
    def tax(self) -> Decimal:
        """The tax on top of the cost."""
        return self.amount if self.is_tax else Decimal(0)

    @property
    def is_tax(self) -> bool:
        """Whether the amount is tax."""
        return self.key.item.kind == TAX


def shared_cost(kind: str, *, flat: bool) -> SharedCost | None:
    """Return what kind of shared cost a line is; None for a charge that prices usage."""
    if kind == CHARGE:
        return SharedCost.FEE if flat else None
    return _SHARED.get(kind, SharedCost.REDUCTION)
