"""What a provider billed against what was metered: imports, discrepancies, margin."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from backend_client.types.common import Answer, Currency, Exact, Instant, Wire
from backend_client.types.events import MeterName, Name
from backend_client.types.texts import Prose


class ExportFormat(StrEnum):
    """The formats that are understood. Without one, a file's own shape decides."""

    OPENAI_USAGE_JSON = "openai-usage-json"
    OPENAI_COSTS_JSON = "openai-costs-json"
    OPENAI_USAGE_CSV = "openai-usage-csv"
    OPENAI_COSTS_CSV = "openai-costs-csv"
    ANTHROPIC_USAGE_JSON = "anthropic-usage-json"
    ANTHROPIC_COST_JSON = "anthropic-cost-json"
    ANTHROPIC_USAGE_CSV = "anthropic-usage-csv"
    ANTHROPIC_COST_CSV = "anthropic-cost-csv"
    OPENROUTER_ACTIVITY_CSV = "openrouter-activity-csv"
    OPENROUTER_LOGS_CSV = "openrouter-logs-csv"
    OPENROUTER_ACTIVITY_JSON = "openrouter-activity-json"
    FOCUS_CSV = "focus-csv"
    CSV = "csv"


Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Wildcard = Annotated[str, StringConstraints(max_length=200, pattern=r"^([^*]*\*?){1,9}$")]
"""A text in which ``*`` stands for any text, nine times at most."""
ModelPattern = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^([^*{}]*\*?){1,5}\{model\}([^*{}]*\*?){1,5}$"),
]
"""A text in which ``{model}`` is the model's name and ``*`` any text."""


class CsvMapping(Wire):
    """Which columns of a CSV file mean what.

    Either ``quantities`` (columns for each meter, which are added up) or ``meter`` (a row for each)
    with a ``quantity``, an ``amount`` or both, or an ``amount`` alone. Amounts below zero are
    credits. Every other column of the file must be named in ``ignore``, or that is ``"*"``.
    """

    day: Column = Field(description="A day (2026-03-01) or a time; without an offset, in time_zone")
    date_format: str | None = Field(
        None, max_length=50, description="How it is written, as strftime has it: %m/%d/%Y"
    )
    model: Column = Field(description="The column of the model's name.")
    model_pattern: list[ModelPattern] = Field(
        [], max_length=20, description="What of the column is the model: *-{model}-input-tokens"
    )
    quantities: dict[MeterName, Column | list[Column]] = Field(
        {},
        description="The columns of each meter, which are added up, by the meter; empty if "
        "`meter` names a column.",
    )
    meter: Column | None = Field(
        None,
        description="The column of the meter's name, in a file with a row for each; null if "
        "`quantities` is given.",
    )
    quantity: Column | None = Field(
        None,
        description="The column of how much was used; null if the file has amounts alone, or "
        "with `quantities`.",
    )
    meters: dict[Wildcard, MeterName] = Field(
        {}, max_length=200, description="The file's words for meters; the first that fits counts"
    )
    amount: Column | None = Field(
        None, description="The column of what was billed; null if the file has none."
    )
    credits: list[Column] = Field([], description="Amounts of discounts in columns of their own")
    currency: Column | None = Field(
        None, description="The column of the amounts' currency; null if `amount_currency` says it."
    )
    amount_currency: Currency | None = Field(
        None, description="The currency of all amounts; null if a column says it."
    )
    unit_size: int = Field(
        1, ge=1, le=1_000_000_000, description="How many units one in the file is"
    )
    unit: Column | None = Field(None, description="A column that says it: 1K tokens, 1M, Tokens")
    units: dict[Column, int] = Field({}, description="Further words of that column, in units")
    where: dict[Column, Wildcard | list[Wildcard]] = Field(
        {}, max_length=20, description="Only rows with these values in these columns are read"
    )
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        ",", description="The character between two columns."
    )
    ignore: list[Column] | Literal["*"] = Field(
        [], description="The columns that are not read, by name; `*` for all others."
    )

    @field_validator("date_format")
    @classmethod
    def _names_a_day(cls, value: str | None) -> str | None:
        if value is not None:
            day = datetime(2026, 3, 14, tzinfo=UTC)
            try:
                written = day.strftime(value)
                is_named = datetime.strptime(written, value).date() == day.date()  # noqa: DTZ007
            except ValueError:
                is_named = False
            if not is_named:
                raise ValueError("does not name a day, such as %m/%d/%Y")
        return value

    @model_validator(mode="after")
    def _says_what_is_counted(self) -> Self:
        amounts = self.amount is not None or bool(self.credits)
        if self.quantity is not None and self.meter is None:
            raise ValueError("a quantity needs the column of its meter")
        if self.meter is not None and self.quantity is None and self.amount is None:
            raise ValueError("a meter needs a quantity or an amount")
        if self.quantities and self.meter is not None:
            raise ValueError("give either quantities or meter and quantity")
        if not self.quantities and self.meter is None and not amounts:
            raise ValueError("name a column of quantities or amounts")
        if amounts and (self.currency is None) == (self.amount_currency is None):
            raise ValueError("amounts need either currency or amount_currency")
        if self.units and self.unit is None:
            raise ValueError("units need the column unit")
        return self


class FocusReading(Wire):
    """How a FOCUS file names models and meters, where its own words do not say it.

    ``text`` is the column whose text names both; SkuMeter and its like if none is given. ``model``
    is a column of the model alone. See ``CsvMapping`` for the others.
    """

    where: dict[Column, Wildcard | list[Wildcard]] = Field(
        {"ServiceCategory": "AI and Machine Learning"},
        max_length=20,
        description="Only rows with these values in these columns are read.",
    )
    text: Column | None = Field(
        None,
        description="The column whose text names model and meter; null for SkuMeter and its like.",
    )
    model: Column | None = Field(
        None, description="A column of the model's name alone; null if it is in the text."
    )
    model_pattern: list[ModelPattern] = Field(
        [],
        max_length=20,
        description="What of the text or column is the model, with `{model}` in its place: "
        "the first that fits counts.",
    )
    meters: dict[Wildcard, MeterName] = Field(
        {},
        max_length=200,
        description="The file's words for meters, by what stands in the text: the first that "
        "fits counts.",
    )


class Tolerance(Wire):
    """A difference up to the larger of the two is none.

    ``relative`` is a part of the larger side; ``units`` are of the meter, ``amount`` of the money.
    """

    relative: Exact = Field(
        Decimal("0.001"),
        ge=0,
        le=1,
        description="Which part of the larger side a difference may be, from 0 to 1.",
    )
    units: Exact = Field(
        Decimal(0), ge=0, description="How many units of a meter a difference may be."
    )
    amount: Exact = Field(
        Decimal("0.01"),
        ge=0,
        description="How much money a difference may be, in the bill's currency.",
    )


class ReconciliationOptions(Wire):
    """How to read an export, and what to hold it against.

    ``models`` says which model of the catalog a provider's name stands for, where neither
    FAREBOX_UPSTREAMS nor the name itself does. ``time_zone`` is whose days the export counts in.
    ``ignore_fields`` names members that the export has and Farebox should not look at.

    ``upstreams`` are those whose usage the export bills; an empty one is usage that names none. If
    left out, they are the provider itself and usage that names none; and all usage, if ``provider``
    is the name of no upstream.
    """

    provider: Name = Field(description="Whose export it is: an upstream's name, or any other.")
    upstreams: list[Name | Literal[""]] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description='The upstreams whose usage the export bills, `""` for usage that names '
        "none; null for the provider and such usage.",
    )
    format: ExportFormat | None = Field(
        None, description="How the file is written; null lets its own shape decide."
    )
    time_zone: str = "UTC"
    models: dict[Name, Name] = Field(
        {},
        max_length=1_000,
        description="The catalog's model for names of the provider's, where neither the "
        "upstream nor the name itself says it.",
    )
    ignore_fields: list[Name] = Field(
        [], max_length=100, description="Members that the export has and that are not looked at."
    )
    mapping: CsvMapping | None = Field(
        None,
        description="What the columns of a CSV file of another form mean; null for the "
        "formats that are understood.",
    )
    focus: FocusReading | None = Field(
        None, description="How a FOCUS file names models and meters; null for its own words."
    )
    tolerance: Tolerance = Field(
        Tolerance(), description="How far both sides may differ and still agree."
    )

    @field_validator("time_zone")
    @classmethod
    def _check_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database") from None
        return value


class DiscrepancyKind(StrEnum):
    """What differs: a quantity of a meter, or an amount of money."""

    QUANTITY = "quantity"
    AMOUNT = "amount"


class DiscrepancyStatus(StrEnum):
    """A person's verdict on it."""

    OPEN = "open"
    EXPLAINED = "explained"
    ACCEPTED = "accepted"


class DiscrepancyCause(StrEnum):
    """Its most likely cause. ``settled``: a later match found no difference any more."""

    MISSING_EVENTS = "missing_events"
    RETRIES_BILLED_TWICE = "retries_billed_twice"
    CACHED_AS_FRESH = "cached_as_fresh"
    TIME_ZONE_CUT = "time_zone_cut"
    RATE_CHANGE = "rate_change"
    QUANTITY_DIFFERS = "quantity_differs"
    OTHER_NAME = "other_name"
    METERED_ONLY = "metered_only"
    NOT_USAGE = "not_usage"
    NO_RATE = "no_rate"
    UNKNOWN = "unknown"
    SETTLED = "settled"


class DiscrepancyNote(Answer):
    """What somebody said of a discrepancy, and what its status was from then on."""

    at: Instant = Field(description="When it was said.")
    actor: str = Field(description="Who said it, by id.")
    status: DiscrepancyStatus = Field(description="What the discrepancy's status was from then on.")
    text: str = Field(description="What was said.")


class Discrepancy(Answer):
    """A day, model and meter on which the provider and Farebox differ.

    ``difference`` is ``provider - metered``: above zero the provider counted or billed more. For
    an amount, ``metered`` is what the metered quantity costs at the known rates, null if a rate is
    not known. A model or meter ``*`` is all of them together.
    """

    id: str
    day: date = Field(description="The day, in the import's time zone.")
    model: str
    meter: str
    kind: DiscrepancyKind = Field(
        description="What differs: a `quantity` of a meter, or an `amount` of money."
    )
    currency: str | None
    provider: Exact = Field(
        description="What the provider's file says: units of the meter, or money."
    )
    metered: Exact | None = Field(
        description="What was metered: units, or what these cost at the known rates; null if "
        "a rate is not known."
    )
    difference: Exact = Field(
        description="`provider` less `metered`: above zero the provider counted or billed more."
    )
    cause: DiscrepancyCause = Field(
        description="Its most likely cause; `settled` if a later match found no difference "
        "any more."
    )
    explanation: str = Field(
        description="The cause in sentences, with the numbers that it is concluded from."
    )
    status: DiscrepancyStatus = Field(
        description="What a person made of it: `open` until somebody has, then `explained` or "
        "`accepted`."
    )
    notes: list[DiscrepancyNote] = Field([], description="What people said of it, in order.")


class DiscrepancyChange(Wire):
    """Set what a person makes of it. A note says why."""

    status: DiscrepancyStatus = Field(description="What it is from now on.")
    note: Annotated[
        Prose, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)
    ] = Field(description="Why, for the record.")


class MeterTotal(Answer):
    """A meter over all days and models of an import."""

    meter: str
    provider: Exact = Field(
        description="What the provider's file adds up to, in units of the meter."
    )
    metered: Exact = Field(description="What was metered of the same days and models.")


class Reconciliation(Answer):
    """An import of a provider's export and its comparison with what was metered.

    ``matched`` counts the days, models and meters that agree within the tolerance. Days are those
    of ``time_zone``; ``last_day`` is inclusive. ``upstreams`` are those that the compared usage
    names.
    """

    id: str
    provider: str = Field(description="Whose export it is.")
    format: ExportFormat = Field(description="How the file is written.")
    file_name: str = Field(description="What the file was called.")
    content_hash: str = Field(
        description="Of the file and `options`, in SHA-256: the same again is the same import."
    )
    time_zone: str
    first_day: date = Field(description="The first day in the file, in `time_zone`.")
    last_day: date = Field(description="The last day in the file, which is in it itself.")
    currency: str | None
    entries: int = Field(description="How many entries were read of the file.")
    created_at: Instant
    created_by: str
    matched_at: Instant = Field(description="When it was last compared with what was metered.")
    matched: int = Field(description="How many days, models and meters agree within the tolerance.")
    open: int = Field(description="How many discrepancies nobody has looked at.")
    explained: int = Field(description="How many discrepancies somebody has explained.")
    accepted: int = Field(description="How many discrepancies somebody has accepted.")
    billed: Exact | None = Field(
        description="What the file's amounts add up to; null if it has none."
    )
    expected: Exact | None = Field(
        description="What the metered usage costs at the known rates; null if the file has no "
        "amounts, or a rate is not known."
    )
    totals: list[MeterTotal] = Field(description="Each meter over all days and models.")
    upstreams: list[str] = Field([], description="The upstreams that the compared usage names.")
    options: ReconciliationOptions = Field(description="How the file was read and compared.")


class MarginRow(Answer):
    """What a tenant's use of a model brought and cost in its billing period, in one currency.

    Fees, minimums and discounts belong to no model: theirs is ``*``. ``cost`` is null where the
    rate of a meter in ``unrated`` is not known, or is in another currency.
    """

    tenant: str = Field(description="The customer, by its `slug`.")
    model: str
    start: Instant
    end: Instant
    currency: Currency
    revenue: Exact = Field(description="What the use of the model brought, before tax.")
    cost: Exact | None = Field(
        description="What providers ask for it at the known rates; null where the rate of a "
        "meter in `unrated` is not known, or is in another currency."
    )
    margin: Exact | None = Field(description="`revenue` less `cost`; null where the cost is.")
    margin_ratio: Exact | None = Field(
        description="The margin as a part of the revenue; null where the cost is, or nothing "
        "was earned."
    )
    unrated: list[str] = Field(
        [], description="Meters whose rate is not known, or is in another currency."
    )


class MarginReport(Answer):
    """Margin by tenant and model, in the billing periods that hold ``at``; a page of tenants.

    Charges with tiers or included units are split over the models by their quantities.
    """

    at: Instant = Field(description="The moment whose billing periods the rows are of.")
    cost_currency: Currency
    rows: list[MarginRow] = Field(
        description="The tenants' models; what belongs to no model has `*`."
    )
    next_cursor: str | None = None
