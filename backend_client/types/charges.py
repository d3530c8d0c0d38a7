"""What plans charge for, as data: prices, tiers, time windows and each kind of charge."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, NoReturn, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from backend_client.types.common import Exact, Wire, plain
from backend_client.types.events import MeterName, Name
from backend_client.types.texts import Title

Price = Annotated[Exact, Field(ge=0, max_digits=24, decimal_places=12, allow_inf_nan=False)]
Units = Annotated[Exact, Field(ge=0, max_digits=24, decimal_places=9, allow_inf_nan=False)]
Percent = Annotated[Exact, Field(ge=0, le=100, decimal_places=6, allow_inf_nan=False)]
UnitSize = Literal[1, 1_000, 1_000_000]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LabelValue = Annotated[str, Field(max_length=200)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
PricedBy = Literal["price", "tiers", "percent"]
"""The field of a charge that says what its units cost."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be an IANA time zone, such as Europe/Berlin") from error
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


def refuse(detail: str, *at: str | int) -> NoReturn:
    """Raise a validation error about a part of this value; ``ctx["at"]`` is the path to it."""
    raise PydanticCustomError("catalog", "{detail}", {"detail": detail, "at": at})


class Tier(Wire):
    """Units up to ``up_to`` in the period (inclusive; null for all above) at ``price``.

    ``flat_fee`` is asked once a period, when the tier is reached.
    """

    up_to: Units | None = Field(
        description="The last unit of the tier, counted over the period after the included "
        "ones; null for all above."
    )
    price: Price = Field(
        description="What `unit_size` units in this tier cost or, with a `package_size`, a "
        "package of them."
    )
    flat_fee: Price = Field(
        Decimal(0),
        description="What is asked for once a period when the tier is reached, beside the price.",
    )


def check_tiers(tiers: Sequence[Tier], package_size: int | None, *at: str | int) -> None:
    """Refuse tiers that don't ascend, leave units without a price, or end within a package.

    ``at`` is where they are.
    """
    floor = Decimal(0)
    for index, tier in enumerate(tiers[:-1]):
        if tier.up_to is None or tier.up_to <= floor:
            refuse(f"up_to must be above {plain(floor)}", *at, "tiers", index, "up_to")
        if package_size is not None and tier.up_to % package_size:
            detail = f"up_to must be whole packages of {package_size}"
            refuse(detail, *at, "tiers", index, "up_to")
        floor = tier.up_to
    if tiers[-1].up_to is not None:
        detail = "the last tier must have no up_to (null), so that every unit has a price"
        refuse(detail, *at, "tiers", len(tiers) - 1, "up_to")


QuarterHour = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):(00|15|30|45)$")]


class TimeWindow(Wire):
    """Hours of the day with prices of their own, such as nights, by the clocks of ``time_zone``.

    From ``start`` until ``end``, past midnight if ``end`` is not the later; on ``days`` only, or
    (null) on all. Of two windows that overlap the first listed counts.
    """

    id: Id = Field(description="What charges of the plan name it by.")
    name: Title = Field(
        min_length=1, max_length=200, description="What people read it as, such as on invoices."
    )
    time_zone: TimeZone = Field(
        description="By whose clocks its hours are, as an IANA name such as `Europe/Berlin`."
    )
    start: QuarterHour = Field(
        description="The time of day at which it begins, on a quarter hour: `22:00`."
    )
    end: QuarterHour = Field(
        description="The time of day at which it ends; if that is not later than `start`, on "
        "the next day."
    )
    days: list[Day] | None = Field(
        None, min_length=1, description="The days of the week on which it begins; null for all."
    )


def check_limits(minimum: Decimal | None, maximum: Decimal | None, *at: str | int) -> None:
    """Refuse a minimum above the maximum."""
    if minimum is not None and maximum is not None and minimum > maximum:
        refuse("the minimum is above the maximum", *at, "minimum")


class _UsageCharge(Wire):
    """A charge on what is metered.

    ``meters`` are summed before pricing. ``models`` limits the charge to those models (null for
    all), ``labels`` to usage that has all of these, ``window`` to that time window (null for what
    no charge for a window takes). The ``included`` units of each period are free, and
    ``included_per_seat`` more for each seat of the subscription; they are prorated like a fee, as
    is the ``minimum``. ``minimum`` and ``maximum`` bound what the charge asks for in a period.

    Each kind says by which of its fields it is priced (``priced_by``), and whether units have their
    price whatever else is used in the period (``priced_at_once``), as a prepaid call must.
    """

    id: Id = Field(
        description="What the charge is known by within its plan: own prices, pools, "
        "discounts and invoices name it."
    )
    name: Title = Field(
        min_length=1, max_length=200, description="What the line of an invoice says."
    )
    meters: list[MeterName] = Field(
        min_length=1,
        description="The meters whose units are added up and priced together, such as "
        "`input_tokens`.",
    )
    models: list[Name] | None = Field(
        None,
        min_length=1,
        description="The models whose usage it prices; null for all, but those that another "
        "charge of the meter names.",
    )
    labels: dict[Name, LabelValue] = Field(
        {},
        max_length=4,
        description="Labels that usage must have, all of them with these values, to be priced "
        "by it; empty for any usage.",
    )
    window: Id | None = Field(
        None,
        description="The time window, by id, whose usage it prices; null for usage that no "
        "charge for a window takes.",
    )
    included: Units = Field(
        Decimal(0), description="How many units of each period are free; prorated like a fee."
    )
    included_per_seat: Units = Field(
        Decimal(0), description="How many more units are free for each seat of the subscription."
    )
    minimum: Price | None = Field(
        None,
        description="The least that the charge asks for in a period, prorated like a fee; "
        "null for none.",
    )
    maximum: Price | None = Field(
        None, description="The most that the charge asks for in a period; null for no bound."
    )

    @model_validator(mode="after")
    def _minimum_is_below_maximum(self) -> Self:
        check_limits(self.minimum, self.maximum)
        return self


class PerUnitCharge(_UsageCharge):
    """Every unit beyond the included ones costs the same."""

    priced_by: ClassVar[PricedBy] = "price"
    priced_at_once: ClassVar[bool] = True

    kind: Literal["per_unit"] = Field(
        "per_unit", description="Says that every unit beyond the included ones costs the same."
    )
    unit_size: UnitSize = Field(
        1_000_000, description="For how many units the price is: 1, 1000 or 1000000."
    )
    price: Price = Field(description="What `unit_size` units cost, in the plan's currency.")


class _TieredCharge(_UsageCharge):
    """With ``package_size`` prices are for packages of so many units in place of ``unit_size``.

    A package that is begun is paid whole, and no tier ends within one.
    """

    priced_by: ClassVar[PricedBy] = "tiers"
    priced_at_once: ClassVar[bool] = False

    unit_size: UnitSize = Field(
        1_000_000, description="For how many units the tiers' prices are: 1, 1000 or 1000000."
    )
    package_size: int | None = Field(
        None,
        ge=1,
        le=10**15,
        description="How many units a package has, where prices are for packages in place of "
        "`unit_size`; one that is begun is paid whole. Null for prices by the unit.",
    )
    tiers: list[Tier] = Field(
        min_length=1, description="The tiers from the lowest up; the last has no upper end."
    )

    @model_validator(mode="after")
    def _tiers_ascend_to_infinity(self) -> Self:
        check_tiers(self.tiers, self.package_size)
        return self

    @property
    def priced_units(self) -> int:
        """For how many units a tier's price is."""
        return self.package_size or self.unit_size


class GraduatedCharge(_TieredCharge):
    """Each tier's price applies to the units that fall in it; tiers count after ``included``."""

    kind: Literal["graduated"] = Field(
        "graduated", description="Says that each tier's price is for the units that fall in it."
    )


class VolumeCharge(_TieredCharge):
    """The tier that the period's billable units reach prices all of them.

    The total can fall where a tier begins: that is what volume pricing means.
    """

    kind: Literal["volume"] = Field(
        "volume",
        description="Says that the tier which the period's units reach prices all of them.",
    )


class PackageCharge(_UsageCharge):
    """Units are sold in packages of ``package_size``; a package that is begun is paid whole."""

    priced_by: ClassVar[PricedBy] = "price"
    priced_at_once: ClassVar[bool] = False

    kind: Literal["package"] = Field(
        "package", description="Says that units are sold in whole packages."
    )
    package_size: int = Field(
        ge=1,
        le=10**15,
        description="How many units a package has; one that is begun is paid whole.",
    )
    price: Price = Field(description="What a package costs, in the plan's currency.")


class PercentageCharge(_UsageCharge):
    """``percent`` of what is metered, for meters that count money, such as a provider's cost."""

    priced_by: ClassVar[PricedBy] = "percent"
    priced_at_once: ClassVar[bool] = True

    kind: Literal["percentage"] = Field(
        "percentage",
        description="Says that it asks for a part of an amount of money that was metered.",
    )
    percent: Annotated[
        Exact, Field(ge=0, max_digits=13, decimal_places=10, allow_inf_nan=False)
    ] = Field(description="How many percent of what is metered is asked for; `120` adds a fifth.")


class FlatPer(StrEnum):
    """What a flat fee is asked for: the subscription, each seat, or each piece of an add-on."""

    SUBSCRIPTION = "subscription"
    SEAT = "seat"
    ADD_ON = "add_on"


class Cadence(StrEnum):
    """How long a flat fee is for: one asked ``once`` is for taking the plan up."""

    ONCE = "once"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def months(self) -> int:
        """How many months a fee is for; none for one that is asked once."""
        return {Cadence.ONCE: 0, Cadence.MONTH: 1, Cadence.QUARTER: 3, Cadence.YEAR: 12}[self]


class FlatCharge(Wire):
    """A fee for the month, the quarter or the year, or for taking the plan up, whatever is used.

    ``per`` seat it is asked for each seat beyond the ``included`` ones; ``per`` add_on for as many
    as the subscription has chosen, which may be none. A fee for the month is prorated when partly
    subscribed. With ``cadence`` quarter or year it is asked for in one amount, in the billing
    period in which its quarter or year begins, and what is left is given back when it is not had
    any more. They are counted from when the tenant took the plan up. With ``cadence`` once it is
    asked for then, a trial before, and for each seat or add-on that goes beyond the most that there
    were since; nothing of it is given back.

    ``in_advance`` it is invoiced as soon as its billing period begins, else when the period closes.
    """

    priced_by: ClassVar[PricedBy] = "price"

    kind: Literal["flat"] = Field("flat", description="Says that it is a fee, whatever is used.")
    id: Id = Field(
        description="What the charge is known by within its plan; of an add-on, what "
        "subscriptions choose it by."
    )
    name: Title = Field(
        min_length=1, max_length=200, description="What the line of an invoice says."
    )
    price: Price = Field(
        description="What the fee is for its whole `cadence`, in the plan's currency; for one "
        "seat or add-on where `per` says so."
    )
    cadence: Cadence = Field(
        Cadence.MONTH,
        description="How long it is for: a `month`, `quarter` or `year`, or `once` for taking "
        "the plan up.",
    )
    in_advance: bool = Field(
        False,
        description="Whether it is invoiced as its billing period begins; otherwise when the "
        "period closes.",
    )
    per: FlatPer = Field(
        FlatPer.SUBSCRIPTION,
        description="What it is asked for: the `subscription`, each `seat`, or each piece of "
        "the `add_on`.",
    )
    included: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="How many seats it is not asked for; of a fee per seat only.",
    )

    @model_validator(mode="after")
    def _only_seats_are_included(self) -> Self:
        if self.included and self.per is not FlatPer.SEAT:
            refuse("only a fee per seat can include some", "included")
        return self


ChargeKind = Literal["per_unit", "graduated", "volume", "package", "percentage", "flat"]
"""The ``kind`` of each charge below, as lines of a bill tell it."""

TieredCharge = GraduatedCharge | VolumeCharge
UsageCharge = PerUnitCharge | GraduatedCharge | VolumeCharge | PackageCharge | PercentageCharge
Charge = Annotated[UsageCharge | FlatCharge, Field(discriminator="kind")]
