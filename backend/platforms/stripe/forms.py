"""Nested parameters as Stripe's v1 API reads them: ``lines[0][period][start]=…``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import urlencode

from backend_client.types.common import plain

Scalar: TypeAlias = str | int | bool | Decimal
Value: TypeAlias = "Scalar | Mapping[str, Value] | Sequence[Value] | None"
Form: TypeAlias = Mapping[str, Value]


def encode(form: Form) -> str:
    """Return a form's body; what is None is left out."""
    return urlencode(list(_pairs(form)))


def _pairs(form: Form) -> Iterator[tuple[str, str]]:
    for name, value in form.items():
        yield from _flat(name, value)


def _flat(name: str, value: Value) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case bool():
            yield name, "true" if value else "false"
        case str():
            yield name, value
        case int():
            yield name, str(value)
        case Decimal():
            yield name, plain(value)
        case Mapping():
            for inner, member in value.items():
                yield from _flat(f"{name}[{inner}]", member)
        case _:
            for index, member in enumerate(value):
                yield from _flat(f"{name}[{index}]", member)
