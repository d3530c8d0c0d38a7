"""Chargeback: which department bears what of the invoices, month by month."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from backend_client.types.common import Answer, Exact, Instant, Money, Wire
from backend_client.types.journals import Account, JournalForms
from backend_client.types.spend import Period

Code = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$",
        description="As it is called in the ledger: 4711",
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Part = Annotated[Exact, Field(gt=0, max_digits=18, decimal_places=6, allow_inf_nan=False)]
Budget = Annotated[Exact, Field(gt=0, max_digits=24, decimal_places=4, allow_inf_nan=False)]
Percent = Annotated[Exact, Field(ge=0, le=1000, decimal_places=4, allow_inf_nan=False)]

MOST_UNITS = 1000
MOST_RULES = 1000
MOST_SHARED_RULES = 100


class UnitKind(StrEnum):
    """Departments are groups; costs are allocated to cost centers."""

    DEPARTMENT = "department"
    COST_CENTER = "cost_center"


class ChargebackMode(StrEnum):
    """``showback`` shows each department its costs; ``chargeback`` writes journals of them too."""

    SHOWBACK = "showback"
    CHARGEBACK = "chargeback"


class PriceKind(StrEnum):
    """What a cost center is charged: its ``cost``; that ``cost_plus`` a percentage; or ``list``.

    ``list`` is the cost before discounts, coupons, credits and other reductions, which stay with
    whoever negotiated them.
    """

    COST = "cost"
    COST_PLUS = "cost_plus"
    LIST = "list"


class TransferPrice(Wire):
    """The internal price. ``percent`` is what ``cost_plus`` adds."""

    price: PriceKind = PriceKind.COST
    percent: Percent = Decimal(0)


class Unit(Wire):
    """A department or a cost center, under its ``parent``; at the top without one.

    ``budget`` is for a month, before tax, of all that is below it. ``transfer`` is a cost center's
    own price, in place of the policy's.
    """

    code: Code
    name: Name
    kind: UnitKind = UnitKind.COST_CENTER
    parent: Code | None = None
    budget: Budget | None = None
    transfer: TransferPrice | None = None


class AllocationRule(Wire):
    """Usage that meets all that is given goes to the cost center ``to``.

    With a ``label`` and neither ``value`` nor ``to``, it goes to the cost center whose code is the
    label's value. Labels must be declared.
    """

    application: str | None = Field(None, max_length=100)
    key: str | None = Field(None, max_length=100)
    label: str | None = Field(None, min_length=1, max_length=200)
    value: str | None = Field(None, max_length=500)
    to: Code | None = None

    @model_validator(mode="after")
    def _matches_something(self) -> AllocationRule:
        if self.application is None and self.key is None and self.label is None:
            raise ValueError("name an application, a key or a label")
        if self.value is not None and self.label is None:
            raise ValueError("a value needs the label that it is of")
        if self.to is None and (self.label is None or self.value is not None):
            raise ValueError("say the cost center, or a label whose value is its code")
        return self


class SharedCost(StrEnum):
    """Costs that no usage has by itself.

    ``fee``: flat fees. ``minimum``: what is missing to a minimum. ``commitment``: what is missing
    to a contract's commitment. ``reduction``: discounts, coupons, trials, maxima, service credits.
    """

    FEE = "fee"
    MINIMUM = "minimum"
    COMMITMENT = "commitment"
    REDUCTION = "reduction"


class Split(StrEnum):
    """How a shared cost is divided: evenly, by fixed parts, or as costs of usage are."""

    EVEN = "even"
    FIXED = "fixed"
    USAGE = "usage"


class FixedPart(Wire):
    """A cost center's part; parts count in proportion to one another."""

    code: Code
    part: Part


class SharedRule(Wire):
    """How shared costs are divided: of these ``costs`` (all if none), or these ``items`` (charges).

    ``among`` are cost centers, or departments for all that are in them; all there are if empty.
    A split by ``usage`` among all leaves to unallocated usage what is its part.
    """

    costs: list[SharedCost] = Field([], max_length=4)
    items: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field([], max_length=100)
    split: Split
    among: list[Code] = Field([], max_length=MOST_UNITS)
    parts: list[FixedPart] = Field([], max_length=MOST_UNITS)

    @model_validator(mode="after")
    def _parts_are_of_a_fixed_split(self) -> SharedRule:
        if (self.split is Split.FIXED) != bool(self.parts):
            raise ValueError("parts belong to a fixed split, which needs some")
        if self.split is Split.FIXED and self.among:
            raise ValueError("a fixed split names its cost centers in its parts")
        return self


class JournalTerms(JournalForms):
    """How a month is booked: cost centers' ``expense`` against ``clearing`` and ``margin``."""

    expense: Account = "expense"
    clearing: Account = "clearing"
    margin: Account = "internal margin"


class Policy(Wire):
    """Departments, and how costs reach them, from a day on until the next policy's.

    ``rules`` allocate usage: the first that matches does. ``shared`` divide what no usage has; the
    first that applies does. What no rule takes stays unallocated, and is shown.
    """

    mode: ChargebackMode = ChargebackMode.SHOWBACK
    units: list[Unit] = Field([], max_length=MOST_UNITS)
    rules: list[AllocationRule] = Field([], max_length=MOST_RULES)
    shared: list[SharedRule] = Field([], max_length=MOST_SHARED_RULES)
    transfer: TransferPrice = TransferPrice()
    journal: JournalTerms = JournalTerms()


class PolicyVersion(Answer):
    """A policy with the day from which it holds, on the tenant's clocks.

    ``revision`` counts its changes. A ``locked`` one is what a closed month was computed by, and
    changes no more.
    """

    valid_from: datetime.date
    revision: int
    policy: Policy
    changed_at: Instant
    changed_by: str
    locked: bool = False


class PolicyPut(Wire):
    """A policy to keep. ``revision`` is the one that was read; null if it is new."""

    policy: Policy
    revision: int | None = None


class MonthState(StrEnum):
    """``running`` months are not invoiced yet; ``open`` ones can be closed; ``closed`` are kept."""

    RUNNING = "running"
    OPEN = "open"
    CLOSED = "closed"


class RowKind(StrEnum):
    """What a row of a statement is of. ``prepaid``: what credit paid in advance, which is nobody's
    saving."""

    DEPARTMENT = "department"
    COST_CENTER = "cost_center"
    UNALLOCATED = "unallocated"
    PREPAID = "prepaid"


class StatementRow(Answer):
    """A department with all that is below it, a cost center, or what nobody bears.

    ``path`` has the codes from the top. ``adjustments`` is the part of ``cost`` that corrects
    earlier months. ``charged`` is at the transfer price, ``margin`` what that is over the cost.
    ``tax`` is on top of the cost, and is not charged. ``budget`` is for the month, of the unit
    wherever in the tree it was; ``used`` is what of it is spent.
    """

    kind: RowKind
    path: list[str]
    code: str | None
    name: str
    cost: Money
    adjustments: Money
    charged: Money
    margin: Money
    tax: Money
    budget: Money | None = None
    used: Money | None = None


class MonthSummary(Answer):
    """A billing period as a month of chargeback; ``month`` is its first day on local clocks.

    Without a policy at its end (``has_policy``) nothing of it is allocated, and it can't be closed.
    """

    month: datetime.date
    period: Period
    state: MonthState
    mode: ChargebackMode
    has_policy: bool = True
    closed_at: Instant | None = None
    closed_by: str | None = None


class Statement(MonthSummary):
    """What each department bears of a month's invoices.

    ``cost`` is the sum of the invoices' lines and credit notes before tax, ``tax`` what is on top:
    the rows without a parent add up to both. ``allocated`` is what cost centers bear of the cost,
    ``unallocated`` what none does, ``prepaid`` what was paid in advance. ``charged`` less
    ``allocated`` is ``margin``.
    """

    cost: Money
    tax: Money
    allocated: Money
    unallocated: Money
    prepaid: Money
    charged: Money
    margin: Money
    adjustments: Money
    invoices: list[str] = Field([], description="Their numbers; those of credit notes too")
    rows: list[StatementRow]


class StatementLine(Answer):
    """A part of an invoice's line that one cost center bears.

    ``invoice`` is null while it is a draft, and for usage that moved between departments after
    its month was closed: those lines add up to nothing.
    """

    invoice: str | None
    kind: str
    name: str
    plan: str | None
    period: Period
    adjustment: bool
    path: list[str]
    quantity: Exact | None
    cost: Money
    charged: Money


class StatementPreview(Wire):
    """A policy to try on a month: the last that is over if null. Nothing is kept."""

    policy: Policy
    month: datetime.date | None = None
