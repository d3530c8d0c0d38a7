"""What plans charge for, as data: prices, tiers, time windows and each kind of charge."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, NoReturn, Self
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

    up_to: Units | None
    price: Price
    flat_fee: Price = Decimal(0)


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

    id: Id
    name: Title = Field(min_length=1, max_length=200)
    time_zone: TimeZone
    start: QuarterHour
    end: QuarterHour
    days: list[Day] | None = Field(None, min_length=1)


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
    """

    id: Id
    name: Title = Field(min_length=1, max_length=200)
    meters: list[MeterName] = Field(min_length=1)
    models: list[Name] | None = Field(None, min_length=1)
    labels: dict[Name, LabelValue] = Field({}, max_length=4)
    window: Id | None = None
    included: Units = Decimal(0)
    included_per_seat: Units = Decimal(0)
    minimum: Price | None = None
    maximum: Price | None = None

    @model_validator(mode="after")
    def _minimum_is_below_maximum(self) -> Self:
        check_limits(self.minimum, self.maximum)
        return self


class PerUnitCharge(_UsageCharge):
    """Every unit beyond the included ones costs the same."""

    kind: Literal["per_unit"] = "per_unit"
    unit_size: UnitSize = 1_000_000
    price: Price


class _TieredCharge(_UsageCharge):
    """With ``package_size`` prices are for packages of so many units in place of ``unit_size``.

    A package that is begun is paid whole, and no tier ends within one.
    """

    unit_size: UnitSize = 1_000_000
    package_size: int | None = Field(None, ge=1, le=10**15)
    tiers: list[Tier] = Field(min_length=1)

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

    kind: Literal["graduated"] = "graduated"


class VolumeCharge(_TieredCharge):
    """The tier that the period's billable units reach prices all of them.

    The total can fall where a tier begins: that is what volume pricing means.
    """

    kind: Literal["volume"] = "volume"


class PackageCharge(_UsageCharge):
    """Units are sold in packages of ``package_size``; a package that is begun is paid whole."""

    kind: Literal["package"] = "package"
    package_size: int = Field(ge=1, le=10**15)
    price: Price


class PercentageCharge(_UsageCharge):
    """``percent`` of what is metered, for meters that count money, such as a provider's cost."""

    kind: Literal["percentage"] = "percentage"
    percent: Annotated[Exact, Field(ge=0, max_digits=13, decimal_places=10, allow_inf_nan=False)]


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

    kind: Literal["flat"] = "flat"
    id: Id
    name: Title = Field(min_length=1, max_length=200)
    price: Price
    cadence: Cadence = Cadence.MONTH
    in_advance: bool = False
    per: FlatPer = FlatPer.SUBSCRIPTION
    included: int = Field(0, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _only_seats_are_included(self) -> Self:
        if self.included and self.per is not FlatPer.SEAT:
            refuse("only a fee per seat can include some", "included")
        return self


ChargeKind = Literal["per_unit", "graduated", "volume", "package", "percentage", "flat"]
"""The ``kind`` of each charge below, as lines of a bill tell it."""

UsageCharge = PerUnitCharge | GraduatedCharge | VolumeCharge | PackageCharge | PercentageCharge
Charge = Annotated[UsageCharge | FlatCharge, Field(discriminator="kind")]
