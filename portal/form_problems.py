"""What can't be used of a form, by its fields. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from backend_client import ApiError


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
        return [(one.field, one.detail) for one in wrong.errors] or [("", str(wrong))]
    return [
        (
            ".".join(str(part) for part in one["loc"]),
            str(one["msg"]).removeprefix("Value error, "),
        )
        for one in wrong.errors()
    ]
