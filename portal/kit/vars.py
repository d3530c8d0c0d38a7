"""A state's fields in components: typed as the values that they stand for.

In a component ``Keys.secret`` is no text. It is a variable, which the browser fills in. Reflex's
own types for variables can't follow a row's fields, so components are typed as if they took the
values: ``Keys.secret`` is a ``str``, a row in ``each`` is the row, and names and types of fields
are checked as in any other code. What works on variables only, or otherwise than on values, is
here; Python's own ``if``, ``not``, ``and`` and ``len`` fail when the page is composed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast, overload

import reflex as rx

T = TypeVar("T")


def computed(method: Callable[[Any], T]) -> T:
    """Make a state's method a field that follows from others; it does no I/O."""
    return cast(T, rx.var(method))


@overload
def each(rows: Sequence[T], render: Callable[[T], rx.Component]) -> rx.Component: ...


@overload
def each(rows: Sequence[T], render: Callable[[T, int], rx.Component]) -> rx.Component: ...


def each(rows: Sequence[T], render: Callable[..., rx.Component]) -> rx.Component:
    """What ``render`` makes of each row; it may take the row's index too."""
    return rx.foreach(cast(Any, rows), render)


def pick(condition: bool, value: T, otherwise: T) -> T:
    """One value or the other, as ``rx.cond`` does for components."""
    return cast(T, rx.cond(condition, cast(Any, value), cast(Any, otherwise)))


def length(rows: Sequence[Any]) -> int:
    """How many rows there are."""
    return cast(int, _variable(rows).length())


def holds(rows: Sequence[T], value: T) -> bool:
    """Whether a value is among the rows."""
    return cast(bool, _variable(rows).contains(value))


def negated(flag: bool) -> bool:
    """Whether a flag is not set."""
    return cast(bool, ~_variable(flag))


def as_text(value: object) -> str:
    """A number as text."""
    return cast(str, _variable(value).to(str))


def is_given(text: object) -> bool:
    """Whether a component was given a text: a variable is one, whatever it will hold."""
    return isinstance(text, rx.Var) or text != ""


def _variable(value: object) -> Any:
    return value if isinstance(value, rx.Var) else rx.Var.create(value)
