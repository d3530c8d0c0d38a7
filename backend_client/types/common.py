"""Types that every part of the wire uses: exact numbers, money, pages, instants."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError


def plain(value: Decimal) -> str:
    """Write a decimal in full, without exponent or trailing zeros: ``0.0000015``, ``20``."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_YEARS = range(1900, 9000)
"""With room on both sides, so that every time zone and every sum of days has such a moment too."""


def _utc(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise PydanticCustomError("out_of_range", "Is no time in the years 1900 to 8999")
    return value.astimezone(UTC)


Exact = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json")]
"""A decimal that crosses the wire as a string, so that no digit is lost to a float."""

Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment in UTC; RFC 3339 on the wire. A time without an offset is refused."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]


def _fixed(value: Decimal) -> str:
    return format(value, "f")


Amount = Annotated[
    Decimal,
    Field(allow_inf_nan=False),
    PlainSerializer(_fixed, return_type=str, when_used="json"),
]
"""An amount with all of its currency's decimals, such as ``12.30``; a string on the wire."""


class Wire(BaseModel):
    """Base of every wire type: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """Base of what the backend answers: immutable; new fields may appear in later versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(Answer):
    """An amount rounded to the currency's minor unit, such as ``12.34`` USD."""

    amount: Amount
    currency: Currency


Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    """One page of a list; pass ``next_cursor`` as ``cursor`` for the next, ``None`` at the end."""

    items: list[Item]
    next_cursor: str | None = None
