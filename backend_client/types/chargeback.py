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

    price: PriceKind = Field(
        PriceKind.COST,
        description="What is charged: the `cost`, `cost_plus` a percentage, or the `list` "
        "price before discounts and credits.",
    )
    percent: Percent = Field(
        Decimal(0), description="How many percent `cost_plus` adds; 0 otherwise."
    )


class Unit(Wire):
    """A department or a cost center, under its ``parent``; at the top without one.

    ``budget`` is for a month, before tax, of all that is below it. ``transfer`` is a cost center's
    own price, in place of the policy's.
    """

    code: Code
    name: Name = Field(description="What people read it as.")
    kind: UnitKind = Field(
        UnitKind.COST_CENTER,
        description="Whether it is a `department`, which groups others, or a `cost_center`, "
        "which bears costs.",
    )
    parent: Code | None = Field(
        None, description="The department that it is in, by its code; null at the top."
    )
    budget: Budget | None = Field(
        None,
        description="What all that is below it may cost in a month, before tax, in the "
        "tenant's currency; null for no budget.",
    )
    transfer: TransferPrice | None = Field(
        None, description="A cost center's own internal price; null for the policy's."
    )


class AllocationRule(Wire):
    """Usage that meets all that is given goes to the cost center ``to``.

    With a ``label`` and neither ``value`` nor ``to``, it goes to the cost center whose code is the
    label's value. Labels must be declared.
    """

    application: str | None = Field(
        None, max_length=100, description="Usage of this application, by id; null for any."
    )
    key: str | None = Field(
        None, max_length=100, description="Usage of this API key, by id; null for any."
    )
    label: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Usage with this label, which must be declared; null for any.",
    )
    value: str | None = Field(
        None,
        max_length=500,
        description="The value that the label must have; null for any, and then the value is "
        "the cost center's code unless `to` is given.",
    )
    to: Code | None = Field(
        None,
        description="The cost center that bears it, by its code; null if the label's value "
        "names it.",
    )

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
    part: Part = Field(
        description="Its part, in proportion to the others': 3 and 1 are three quarters and one."
    )


class SharedRule(Wire):
    """How shared costs are divided: of these ``costs`` (all if none), or these ``items`` (charges).

    ``among`` are cost centers, or departments for all that are in them; all there are if empty.
    A split by ``usage`` among all leaves to unallocated usage what is its part.
    """

    costs: list[SharedCost] = Field(
        [], max_length=4, description="The kinds of shared cost that it divides; empty for all."
    )
    items: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        [], max_length=100, description="The charges, by id, whose cost it divides; empty for all."
    )
    split: Split = Field(
        description="How it is divided: in `even` parts, by `fixed` parts, or as the costs of "
        "`usage` are."
    )
    among: list[Code] = Field(
        [],
        max_length=MOST_UNITS,
        description="The cost centers or departments, by code, that bear it; empty for all "
        "there are.",
    )
    parts: list[FixedPart] = Field(
        [],
        max_length=MOST_UNITS,
        description="The cost centers with their parts, for a `fixed` split; else empty.",
    )

    @model_validator(mode="after")
    def _parts_are_of_a_fixed_split(self) -> SharedRule:
        if (self.split is Split.FIXED) != bool(self.parts):
            raise ValueError("parts belong to a fixed split, which needs some")
        if self.split is Split.FIXED and self.among:
            raise ValueError("a fixed split names its cost centers in its parts")
        return self


class JournalTerms(JournalForms):
    """How a month is booked: cost centers' ``expense`` against ``clearing`` and ``margin``."""

    expense: Account = Field(
        "expense", description="The account that cost centers' costs are booked on."
    )
    clearing: Account = Field("clearing", description="The account that they are booked against.")
    margin: Account = Field(
        "internal margin", description="The account of what is charged beyond the cost."
    )


class Policy(Wire):
    """Departments, and how costs reach them, from a day on until the next policy's.

    ``rules`` allocate usage: the first that matches does. ``shared`` divide what no usage has; the
    first that applies does. What no rule takes stays unallocated, and is shown.
    """

    mode: ChargebackMode = Field(
        ChargebackMode.SHOWBACK,
        description="`showback` shows each department its costs; `chargeback` also makes "
        "journals that book them.",
    )
    units: list[Unit] = Field(
        [], max_length=MOST_UNITS, description="The departments and cost centers, as a tree."
    )
    rules: list[AllocationRule] = Field(
        [],
        max_length=MOST_RULES,
        description="Which usage goes to which cost center: the first rule that fits counts.",
    )
    shared: list[SharedRule] = Field(
        [],
        max_length=MOST_SHARED_RULES,
        description="How costs are divided that no usage has by itself, such as fees: the "
        "first rule that fits counts.",
    )
    transfer: TransferPrice = Field(
        TransferPrice(),
        description="What cost centers are charged for their costs, where they have no price "
        "of their own.",
    )
    journal: JournalTerms = Field(
        JournalTerms(), description="The accounts and the form of the journals."
    )


class PolicyVersion(Answer):
    """A policy with the day from which it holds, on the tenant's clocks.

    ``revision`` counts its changes. A ``locked`` one is what a closed month was computed by, and
    changes no more.
    """

    valid_from: datetime.date = Field(
        description="The first day on which it holds, on the tenant's clocks; it holds until "
        "the next one's."
    )
    revision: int
    policy: Policy = Field(description="The policy itself.")
    changed_at: Instant = Field(description="When it was last changed.")
    changed_by: str = Field(description="Who last changed it, by id.")
    locked: bool = Field(
        False,
        description="Whether a closed month was computed by it, so that it can't be changed "
        "any more.",
    )


class PolicyPut(Wire):
    """A policy to keep. ``revision`` is the one that was read; null if it is new."""

    policy: Policy = Field(description="The policy to keep, whole.")
    revision: int | None = Field(
        None, description="The revision that was read; null if there was none."
    )


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

    kind: RowKind = Field(
        description="What the row is of: a `department` with all below it, a `cost_center`, "
        "what is `unallocated`, or what credit has `prepaid`."
    )
    path: list[str] = Field(
        description="The codes from the top of the tree to this row; empty for what nobody bears."
    )
    code: str | None = Field(
        description="The code of the department or cost center; null for what nobody bears."
    )
    name: str = Field(description="What people read it as.")
    cost: Money = Field(description="What it bears of the month's invoices, before tax.")
    adjustments: Money = Field(description="The part of `cost` that corrects earlier months.")
    charged: Money = Field(description="What it is charged, at the transfer price.")
    margin: Money = Field(description="What is charged beyond the cost: `charged` less `cost`.")
    tax: Money = Field(description="The tax on top of the cost; it is not charged.")
    budget: Money | None = Field(None, description="Its budget for the month; null for none.")
    used: Money | None = Field(
        None, description="What of the budget is spent; null without a budget."
    )


class MonthSummary(Answer):
    """A billing period as a month of chargeback; ``month`` is its first day on local clocks.

    Without a policy at its end (``has_policy``) nothing of it is allocated, and it can't be closed.
    """

    month: datetime.date = Field(
        description="The month, by the first day of its billing period on the tenant's clocks."
    )
    period: Period = Field(description="The billing period that the month is.")
    state: MonthState = Field(
        description="`running` until it is invoiced, then `open` until somebody closes it, "
        "then `closed` for good."
    )
    mode: ChargebackMode = Field(
        description="Whether journals are made of it (`chargeback`) or not (`showback`), by "
        "the policy at its end."
    )
    has_policy: bool = Field(
        True,
        description="Whether a policy holds at its end; without one nothing is allocated and "
        "it can't be closed.",
    )
    closed_at: Instant | None = Field(None, description="When it was closed; null while it is not.")
    closed_by: str | None = Field(None, description="Who closed it, by id; null while it is not.")


class Statement(MonthSummary):
    """What each department bears of a month's invoices.

    ``cost`` is the sum of the invoices' lines and credit notes before tax, ``tax`` what is on top:
    the rows without a parent add up to both. ``allocated`` is what cost centers bear of the cost,
    ``unallocated`` what none does, ``prepaid`` what was paid in advance. ``charged`` less
    ``allocated`` is ``margin``.
    """

    cost: Money = Field(description="The sum of the invoices' lines and credit notes, before tax.")
    tax: Money = Field(description="The sum of the taxes that come on top.")
    allocated: Money = Field(description="What cost centers bear of the cost.")
    unallocated: Money = Field(description="What no cost center bears.")
    prepaid: Money = Field(description="What credit paid in advance, as calls were made.")
    charged: Money = Field(description="What cost centers are charged in all.")
    margin: Money = Field(
        description="What they are charged beyond what they bear: `charged` less `allocated`."
    )
    adjustments: Money = Field(description="The part of `cost` that corrects earlier months.")
    invoices: list[str] = Field([], description="Their numbers; those of credit notes too")
    rows: list[StatementRow] = Field(
        description="The tree from the top, each department before what is in it, then what "
        "nobody bears."
    )


class StatementLine(Answer):
    """A part of an invoice's line that one cost center bears.

    ``invoice`` is null while it is a draft, and for usage that moved between departments after
    its month was closed: those lines add up to nothing.
    """

    invoice: str | None = Field(
        description="The number of the invoice or credit note; null while it is a draft, and "
        "for usage that moved between cost centers after its month was closed."
    )
    kind: str = Field(
        description="The kind of the invoice's line, such as `charge`, `discount` or `prepaid`."
    )
    name: str = Field(description="What the invoice's line says.")
    plan: str | None = Field(
        description="The plan that asked for it, by id; null for what is of the whole bill."
    )
    period: Period = Field(description="The time that the invoice's line is for.")
    adjustment: bool = Field(description="Whether it corrects an earlier month.")
    path: list[str] = Field(
        description="The codes from the top of the tree to the cost center; empty for what "
        "nobody bears."
    )
    quantity: Exact | None = Field(
        description="The cost center's part of the line's units; null for a line without units."
    )
    cost: Money = Field(description="The cost center's part of the line's amount, before tax.")
    charged: Money = Field(description="What it is charged for that, at the transfer price.")


class StatementPreview(Wire):
    """A policy to try on a month: the last that is over if null. Nothing is kept."""

    policy: Policy = Field(description="The policy to try; it is not kept.")
    month: datetime.date | None = Field(
        None,
        description="The month to try it on, by its first day; null for the last that is over.",
    )
