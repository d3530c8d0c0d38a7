"""From the parts of a month's invoices to its statement: sums along the tree. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from backend.chargeback.rules.documents import Entry
from backend.chargeback.rules.timeline import Reign
from backend.chargeback.rules.tree import UNALLOCATED, Path
from backend.invoices.rules.lines import FROM_CREDIT
from backend.pricing.money import ZERO, exact_arithmetic, money
from backend_client.types.chargeback import (
    MonthSummary,
    RowKind,
    Statement,
    StatementLine,
    StatementRow,
    UnitKind,
)
from backend_client.types.common import Money
from backend_client.types.spend import Period

_NOBODY = {RowKind.UNALLOCATED: "Unallocated", RowKind.PREPAID: "Paid in advance from credit"}


@dataclass(slots=True)
class _Sums:
    cost: Decimal = ZERO
    adjustments: Decimal = ZERO
    charged: Decimal = ZERO
    margin: Decimal = ZERO
    tax: Decimal = ZERO

    def add(self, entry: Entry) -> None:
        self.cost += entry.cost
        self.tax += entry.tax
        self.charged += entry.charged
        if entry.adjustment:
            self.adjustments += entry.cost
        if entry.path and not entry.is_tax:
            self.margin += entry.charged - entry.cost


@dataclass(frozen=True, slots=True)
class Names:
    """What units are called, as the latest policy says in which they were."""

    units: dict[str, tuple[str, UnitKind]] = field(default_factory=dict)

    @classmethod
    def of(cls, reigns: Iterable[Reign]) -> Names:
        """Take the names from policies, the earliest first."""
        return cls(
            {
                code: (unit.name, unit.kind)
                for reign in reigns
                for code, unit in reign.tree.units.items()
            }
        )

    def __call__(self, code: str) -> str:
        """Return a unit's name, or its code if no policy has it."""
        return self.units.get(code, (code, UnitKind.COST_CENTER))[0]

    def kind(self, code: str) -> RowKind:
        """Return whether a code is a department's or a cost center's."""
        return RowKind(self.units.get(code, (code, UnitKind.COST_CENTER))[1].value)


def statement(
    summary: MonthSummary, entries: Sequence[Entry], last: Reign, names: Names, currency: str
) -> Statement:
    """Sum a month's entries. ``last`` is the policy at its end, whose units are all shown."""

    def amount(value: Decimal) -> Money:
        return money(value, currency)

    with exact_arithmetic():
        whole, by_path, nobody, spent = _sums(entries)
        for path in last.tree.paths.values():
            by_path.setdefault(path, _Sums())
        rows = [
            _row(names.kind(path[-1]), path, names(path[-1]), sums, amount)
            for path, sums in sorted(by_path.items())
        ]
        rows = [_with_budget(row, last, spent, amount) for row in rows]
        rows += [_row(kind, (), _NOBODY[kind], sums, amount) for kind, sums in nobody.items()]
        apart = sum((sums.cost for sums in nobody.values()), ZERO)
        return Statement(
            **summary.model_dump(),
            cost=amount(whole.cost),
            tax=amount(whole.tax),
            allocated=amount(whole.cost - apart),
            unallocated=amount(nobody[RowKind.UNALLOCATED].cost),
            prepaid=amount(nobody[RowKind.PREPAID].cost if RowKind.PREPAID in nobody else ZERO),
            charged=amount(whole.charged),
            margin=amount(whole.margin),
            adjustments=amount(whole.adjustments),
            invoices=sorted({entry.number for entry in entries if entry.number is not None}),
            rows=rows,
        )


def spent_by_code(entries: Iterable[Entry]) -> dict[str, Decimal]:
    """Sum what each unit and all below it cost, wherever in the tree it was."""
    spent: defaultdict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        for code in entry.path:
            spent[code] += entry.cost
    return dict(spent)


def statement_lines(
    entries: Iterable[Entry], code: str | None, time_zone: str, currency: str
) -> list[StatementLine]:
    """Return the parts of lines below a unit, those of nobody for an empty code; all if None."""
    return [
        StatementLine(
            invoice=entry.number,
            kind=entry.key.item.kind,
            name=entry.name,
            plan=entry.key.item.plan,
            period=Period(start=entry.key.start, end=entry.key.end, time_zone=time_zone),
            adjustment=entry.adjustment,
            path=list(entry.path),
            quantity=entry.quantity,
            cost=money(entry.amount, currency),
            charged=money(entry.charged, currency),
        )
        for entry in entries
        if code is None or (code in entry.path if code else not entry.path)
    ]


def _sums(
    entries: Sequence[Entry],
) -> tuple[_Sums, dict[Path, _Sums], dict[RowKind, _Sums], dict[str, Decimal]]:
    whole = _Sums()
    by_path: defaultdict[Path, _Sums] = defaultdict(_Sums)
    nobody: dict[RowKind, _Sums] = {RowKind.UNALLOCATED: _Sums()}
    for entry in entries:
        whole.add(entry)
        if entry.path == UNALLOCATED:
            prepaid = entry.key.item.kind in FROM_CREDIT
            kind = RowKind.PREPAID if prepaid else RowKind.UNALLOCATED
            nobody.setdefault(kind, _Sums()).add(entry)
        for depth in range(len(entry.path)):
            by_path[entry.path[: depth + 1]].add(entry)
    return whole, dict(by_path), nobody, spent_by_code(entries)


def _row(
    kind: RowKind, path: Path, name: str, sums: _Sums, amount: Callable[[Decimal], Money]
) -> StatementRow:
    return StatementRow(
        kind=kind,
        path=list(path),
        code=path[-1] if path else None,
        name=name,
        cost=amount(sums.cost),
        adjustments=amount(sums.adjustments),
        charged=amount(sums.charged),
        margin=amount(sums.margin),
        tax=amount(sums.tax),
    )


def _with_budget(
    row: StatementRow, last: Reign, spent: dict[str, Decimal], amount: Callable[[Decimal], Money]
) -> StatementRow:
    unit = last.tree.units.get(row.code or "")
    if unit is None or unit.budget is None:
        return row
    used = amount(spent.get(unit.code, ZERO))
    return row.model_copy(update={"budget": amount(unit.budget), "used": used})
