"""Divide invoices over a tree of cost centers, exactly. Pure.

The law: the parts of each line add up to the line, whatever was divided before. A line about a
subject that earlier lines were about (late usage, a credit note) gets what a division of the whole
would give now, less what was given before. So months that are closed stay as they are, and the
next one carries what changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from backend.chargeback.rules.documents import TAX, CostDocument, CostKey, CostLine, Entry
from backend.chargeback.rules.shares import divided_shares, usage_basis
from backend.chargeback.rules.splitting import split_amount, split_quantity
from backend.chargeback.rules.timeline import Timeline
from backend.chargeback.rules.transfer import transfer_price
from backend.chargeback.rules.tree import UNALLOCATED, Path
from backend.chargeback.rules.usage import PeriodUsage, Weights
from backend.invoices.rules.lines import FROM_CREDIT, INVOICED_BEFORE, Item
from backend.pricing.money import ZERO, exact_arithmetic, prorate
from backend.pricing.periods import INSTANT
from backend_client.types.chargeback import SharedCost
from backend_client.types.invoices import AFTER_TAX

_Parts: TypeAlias = dict[Path, Decimal]


@dataclass(slots=True)
class Held:
    """What was divided of a subject so far."""

    name: str
    shared: SharedCost | None
    unit: str | None
    amounts: defaultdict[Path, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    quantities: defaultdict[Path, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


class Allocation:
    """Divides the documents of a month, one after the other.

    ``posted`` are the entries of closed months about the same subjects. ``usage`` is that of each
    billing period that a line is for, by its start.
    """

    def __init__(
        self,
        month: datetime,
        currency: str,
        timeline: Timeline,
        usage: Mapping[datetime, PeriodUsage],
        posted: Iterable[Entry] = (),
    ) -> None:
        self.entries: list[Entry] = []
        self._month = month
        self._currency = currency
        self._timeline = timeline
        self._usage = usage
        self._posted: defaultdict[str, list[Entry]] = defaultdict(list)
        self._held: dict[CostKey, Held] = {}
        self._series: dict[str, str] = {}
        for entry in posted:
            self._posted[entry.document].append(entry)
            self._hold(entry)

    def add(self, document: CostDocument) -> None:
        """Divide an invoice, a draft or a credit note."""
        with exact_arithmetic():
            own: list[Entry] = []
            for line in document.lines:
                if line.key.series and document.number is not None:
                    self._series[document.number] = line.key.series
                own += self._entries(document, line, self._parts(line))
            for name, amount in document.taxes:
                own += self._tax(document, name, amount, own)
            self.entries += own

    def take_back(self, document_id: str) -> None:
        """Take back all that closed months have of an invoice, which has become void since.

        What was taken back before is not taken back again.
        """
        with exact_arithmetic():
            for entry in _summed(self._posted.pop(document_id, [])):
                negative = replace(
                    entry,
                    amount=-entry.amount,
                    charged=-entry.charged,
                    quantity=None if entry.quantity is None else -entry.quantity,
                    adjustment=True,
                )
                self.entries.append(negative)
                self._hold(negative)

    def move_within(self, periods: Collection[datetime]) -> None:
        """Divide the subjects of earlier periods again whose usage changed, and enter what moved.

        A correction may move usage from one application to another and leave the invoice's line as
        it is.
        """
        with exact_arithmetic():
            for key, held in list(self._held.items()):
                fixed = key.series or key.item.kind in {TAX, INVOICED_BEFORE, *FROM_CREDIT}
                if key.start not in periods or fixed:
                    continue
                line = CostLine(None, key, held.name, ZERO, None, held.shared, held.unit)
                nobody = CostDocument("", None, "", key.start, key.end, [line])
                self.entries += self._entries(nobody, line, self._parts(line))

    def _entries(self, document: CostDocument, line: CostLine, parts: _Parts) -> list[Entry]:
        quantities = self._quantities(line, parts)
        corrects = line.key.start != self._month or document.month != self._month
        own = [
            Entry(
                document.id,
                document.number,
                line.line,
                line.key,
                line.name,
                path,
                parts.get(path, ZERO),
                self._charged(line, path, parts.get(path, ZERO)),
                quantities.get(path),
                line.shared,
                corrects,
                line.unit,
            )
            for path in sorted(parts.keys() | quantities.keys())
            if parts.get(path) or quantities.get(path)
        ]
        for entry in own:
            self._hold(entry)
        return own

    def _hold(self, entry: Entry) -> None:
        held = self._held.setdefault(entry.key, Held(entry.name, entry.shared, entry.unit))
        held.amounts[entry.path] += entry.amount
        if entry.quantity is not None and entry.shared is None:
            held.quantities[entry.path] += entry.quantity

    def _parts(self, line: CostLine) -> _Parts:
        """Return what each place gets of a line: of the whole so far, less what it has."""
        kind = line.key.item.kind
        if kind in FROM_CREDIT:
            return {UNALLOCATED: line.amount}
        if kind == INVOICED_BEFORE:
            opposite = self._opposite(line)
            if opposite is not None:
                return opposite
        held = self._held.get(line.key)
        before: Mapping[Path, Decimal] = {} if held is None else held.amounts
        whole = sum(before.values(), line.amount)
        now = split_amount(whole, self._weights(line, before), self._currency) if whole else {}
        return {
            path: part
            for path in now.keys() | before.keys()
            if (part := now.get(path, ZERO) - before.get(path, ZERO))
        }

    def _quantities(self, line: CostLine, parts: _Parts) -> _Parts:
        if line.shared is not None:
            if line.quantity is None or not line.amount:
                return {}
            return {
                path: prorate(line.quantity, Fraction(part) / Fraction(line.amount))
                for path, part in parts.items()
            }
        held = self._held.get(line.key)
        before: Mapping[Path, Decimal] = {} if held is None else held.quantities
        whole = sum(before.values(), line.quantity or ZERO)
        now = split_quantity(whole, self._weights(line, before)) if whole else {}
        return {
            path: part
            for path in now.keys() | before.keys()
            if (part := now.get(path, ZERO) - before.get(path, ZERO))
        }

    def _weights(self, line: CostLine, before: Mapping[Path, Decimal]) -> Weights:
        """Return by what a line is divided; as before if nothing else says."""
        key = line.key
        weights: Weights = {}
        if line.shared is None:
            usage = self._usage.get(key.start)
            weights = {} if usage is None else usage.weights(key)
        else:
            costs = {other: (held.shared, held.amounts) for other, held in self._held.items()}
            basis = usage_basis(key, costs)
            span = key.cut or (key.start, key.end)
            weights = divided_shares(line.shared, key.item.item, basis, self._timeline.over(*span))
        if not any(weights.values()):
            weights = {path: Fraction(abs(amount)) for path, amount in before.items()}
        return weights if any(weights.values()) else {UNALLOCATED: Fraction(1)}

    def _opposite(self, line: CostLine) -> _Parts | None:
        """Return what an invoice of a part of the period gave, to be taken off again."""
        series = self._series.get(line.key.item.item)
        not_taken = {TAX, *AFTER_TAX}  # these have a line of their own
        parts: defaultdict[Path, Decimal] = defaultdict(Decimal)
        for key, held in self._held.items():
            if series is not None and key.series == series and key.item.kind not in not_taken:
                for path, amount in held.amounts.items():
                    parts[path] -= amount
        return dict(parts) if sum(parts.values(), ZERO) == line.amount else None

    def _tax(
        self, document: CostDocument, name: str, amount: Decimal, own: Sequence[Entry]
    ) -> list[Entry]:
        """Divide a tax as the document's costs are divided."""
        by_path: defaultdict[Path, Decimal] = defaultdict(Decimal)
        for entry in own:
            if entry.key.item.kind not in FROM_CREDIT:
                by_path[entry.path] += entry.cost
        sign = -1 if sum(by_path.values(), ZERO) < 0 else 1
        weights = {path: Fraction(max(sign * net, ZERO)) for path, net in by_path.items()}
        if not any(weights.values()):
            weights = {UNALLOCATED: Fraction(1)}
        item = Item(TAX, None, None, name)
        key = CostKey(document.month, document.month_end, item, series=document.id)
        line = CostLine(None, key, name, amount, shared=SharedCost.REDUCTION)
        return self._entries(document, line, split_amount(amount, weights, self._currency))

    def _charged(self, line: CostLine, path: Path, cost: Decimal) -> Decimal:
        if not path or line.key.item.kind == TAX:
            return ZERO
        reign = self._timeline.at(line.key.end - INSTANT)
        return transfer_price(cost, line.shared, path[-1], reign, self._currency)


def _summed(entries: Iterable[Entry]) -> list[Entry]:
    """Add up the entries of the same part of a line; what adds up to nothing is left out."""
    sums: dict[tuple[int | None, CostKey, Path], Entry] = {}
    for entry in entries:
        part = (entry.line, entry.key, entry.path)
        held = sums.get(part)
        if held is not None:
            quantities = [each for each in (held.quantity, entry.quantity) if each is not None]
            entry = replace(
                entry,
                amount=held.amount + entry.amount,
                charged=held.charged + entry.charged,
                quantity=sum(quantities, ZERO) if quantities else None,
            )
        sums[part] = entry
    return [entry for entry in sums.values() if entry.amount or entry.charged or entry.quantity]
