"""What can't be used of a form, by its fields. Plain functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from backend_client import ApiError, ClientError, Unauthenticated

Wanted = TypeVar("Wanted", bound=BaseModel)
ByField = Callable[[list[tuple[str, str]]], dict[str, str]]
"""Finds a form's fields for problems that name them by path, as ``paths_of`` has them."""


class FormProblems(ValueError):
    """What can't be used, by field; what is of no field of the form is under ``form``."""

    def __init__(self, by_field: Mapping[str, str]) -> None:
        super().__init__("; ".join(by_field.values()))
        self.by_field = dict(by_field)


def text_of(form: Mapping[str, Any], name: str) -> str:
    """What was written in a field, without the spaces around it."""
    return str(form.get(name) or "").strip()


def paths_of(wrong: ValidationError | ApiError) -> list[tuple[str, str]]:
    """What is wrong, by the path of each field as the API writes it: ``top_up.amount``.

    The path is empty where the whole is wrong.
    """
    if isinstance(wrong, ApiError):
        return [(error.field, error.detail) for error in wrong.errors] or [("", str(wrong))]
    return [
        (
            ".".join(str(part) for part in error["loc"]),
            str(error["msg"]).removeprefix("Value error, "),
        )
        for error in wrong.errors()
    ]


def checked(
    kind: Callable[..., Wanted],
    values: Mapping[str, Any],
    problems: Mapping[str, str],
    by_field: ByField,
) -> Wanted:
    """Make what a form asks for of its ``values``.

    Raises:
        FormProblems: there are ``problems`` already, which go before what is found here.
    """
    try:
        request = kind(**values)
    except ValidationError as wrong:
        raise FormProblems({**by_field(paths_of(wrong)), **problems}) from None
    if problems:
        raise FormProblems(problems)
    return request


def problems_by_field(wrong: FormProblems | ClientError, by_field: ByField) -> dict[str, str]:
    """Why something was not done, at the fields that it is about.

    Raises:
        Unauthenticated: the session has ended, which is no field's fault.
    """
    if isinstance(wrong, Unauthenticated):
        raise wrong
    if isinstance(wrong, FormProblems):
        return wrong.by_field
    if isinstance(wrong, ApiError):
        return by_field(paths_of(wrong))
    return {"form": str(wrong)}
