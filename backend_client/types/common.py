"""Types that every part of the wire uses: exact numbers, money, pages, instants."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from backend_client.instants import read_instant
from backend_client.types.texts import TEXTS, Lines, check_all_shown, is_stored


def plain(value: Decimal) -> str:
    """Write a decimal in full, without exponent or trailing zeros: ``0.0000015``, ``20``."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_YEARS = range(1900, 9000)
"""With room on both sides, so that every time zone and every sum of days has such a moment too."""


def _utc(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise PydanticCustomError("out_of_range", "is no time in the years 1900 to 8999")
    return value.astimezone(UTC)


def _read_instant(value: object) -> object:
    if isinstance(value, str):
        try:
            return read_instant(value)
        except ValueError as error:
            raise PydanticCustomError("instant", "{why}", {"why": str(error)}) from None
    if isinstance(value, int | float | Decimal):
        # Seconds or milliseconds, since which epoch: a guess would bill another period
        raise PydanticCustomError("instant", "is a number: write a time as 2026-01-02T03:04:05Z")
    return value


Exact = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json")]
"""A decimal that crosses the wire as a string, so that no digit is lost to a float."""

Instant = Annotated[AwareDatetime, BeforeValidator(_read_instant), AfterValidator(_utc)]
"""A moment in UTC; RFC 3339 on the wire. A time without an offset is refused."""

Currency = Annotated[
    str,
    Field(pattern=r"^[A-Z]{3}$", description="The currency, by its ISO 4217 code such as `USD`"),
]


def _mailbox(value: str) -> str:
    local, _, domain = value.partition("@")
    bare = value.isascii() and value.isprintable() and not _NOT_IN_MAILBOX.intersection(value)
    if not (bare and local and domain and "@" not in domain):
        raise PydanticCustomError("email", "Is no e-mail address, such as ada@example.com")
    return value


_NOT_IN_MAILBOX = frozenset(' "(),:;<>[]\\')

EmailAddress = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(_mailbox)]
"""One bare address: ``ada@example.com``, no name and no list."""


def _fixed(value: Decimal) -> str:
    return format(value, "f")


Amount = Annotated[
    Decimal,
    Field(allow_inf_nan=False),
    PlainSerializer(_fixed, return_type=str, when_used="json"),
]
"""An amount with all of its currency's decimals, such as ``12.30``; a string on the wire."""


@cache
def _prose(model: type[BaseModel]) -> frozenset[str]:
    """The names of a model's fields that may have several lines."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, Lines) for mark in field.metadata)
    )


class Wire(BaseModel):
    """Base of what is sent: immutable, and an unknown field is an error.

    No text in it has characters that can't be shown, unless it is read ``AS_STORED``; only
    ``Prose`` has several lines.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*")
    @classmethod
    def _texts_are_shown(cls, value: Any, info: ValidationInfo) -> Any:
        # Of every field of every event: most have no text, or a plain one
        if not isinstance(value, TEXTS) or (type(value) is str and value.isprintable()):
            return value
        if not is_stored(info):
            check_all_shown(value, lines=info.field_name in _prose(cls))
        return value


class Answer(BaseModel):
    """Base of what the backend answers: immutable; new fields may appear in later versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(Answer):
    """An amount rounded to the currency's minor unit, such as ``12.34`` USD."""

    amount: Amount = Field(
        description="Exact, with all decimals of its currency: `12.30`, or `1230` of yen"
    )
    currency: Currency


Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    """One page of a list; pass ``next_cursor`` as ``cursor`` for the next, ``None`` at the end."""

    items: list[Item]
    next_cursor: str | None = None
