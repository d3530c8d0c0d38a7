"""The form that corrects an event: what stands in it, and what was meant by it. Plain functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from pydantic import ValidationError

from backend_client.types.common import plain
from backend_client.types.corrections import CorrectionCreate, EventReference
from backend_client.types.events import StoredEvent, UsageData
from portal.kit.form_problems import FormProblems, paths_of, text_of
from portal.kit.formatting import meter_name
from portal.shared.events.rows import in_order

FIELDS = ("application", "model", "key", "reason", "text", "quantities", "labels")


@dataclass(frozen=True)
class Pair:
    """A line of the form: a meter with its quantity, or a label with its value.

    ``id`` tells the lines of the form apart, also when those before it are taken away.
    """

    id: int
    name: str = ""
    value: str = ""
    title: str = ""
    problem: str = ""


def quantity_pairs(event: StoredEvent) -> list[Pair]:
    """What the event counts, a line each."""
    return [
        Pair(place, meter, plain(event.quantities[meter]), meter_name(meter))
        for place, meter in enumerate(in_order(event.quantities))
    ]


def label_pairs(event: StoredEvent) -> list[Pair]:
    """The event's labels, a line each."""
    return [
        Pair(place, name, value, name)
        for place, (name, value) in enumerate(sorted(event.labels.items()))
    ]


def with_another(pairs: list[Pair]) -> list[Pair]:
    """The lines, and an empty one."""
    return [*pairs, Pair(max((pair.id for pair in pairs), default=-1) + 1)]


def data_text(event: StoredEvent) -> str:
    """The event's data as JSON, to be written over."""
    whole = UsageData(
        application=event.application,
        model=event.model,
        key=event.key,
        quantities=event.quantities,
        labels=event.labels,
        counted=event.counted,
    ).model_dump(mode="json", exclude_none=True)
    return json.dumps(whole, indent=2, ensure_ascii=False)


def correction_from(
    form: Mapping[str, Any],
    event: StoredEvent,
    *,
    action: Literal["void", "amend"],
    as_text: bool,
    correction_id: str,
) -> CorrectionCreate:
    """What the form asks for.

    Raises:
        FormProblems: something in it can't be used; ``meter:3`` and ``label:3`` are lines.
    """
    problems: dict[str, str] = {}
    reason = text_of(form, "reason")
    if not reason:
        problems["reason"] = "Give a reason: it is stored with the correction."
    data: dict[str, Any] | None = None
    if action == "amend":
        read = _written_data if as_text else _data_of_fields
        data = read(form, event, problems)
    try:
        correction = CorrectionCreate.model_validate(
            {
                "id": correction_id,
                "event": EventReference(sender=event.sender, source=event.source, id=event.id),
                "action": action,
                "data": data,
                "reason": reason or "none yet",
            }
        )
    except ValidationError as wrong:
        problems = {**by_field(paths_of(wrong), form, as_text=as_text), **problems}
        if any(field.startswith("meter:") for field in problems):
            problems.pop("quantities", None)  # there are some, and they are wrong
    if problems:
        raise FormProblems(problems)
    return correction


def by_field(
    problems: Iterable[tuple[str, str]], form: Mapping[str, Any], *, as_text: bool
) -> dict[str, str]:
    """The fields of the form that problems are of, which name them as the API does.

    ``corrections.0.data.quantities.input_tokens`` is of the line whose meter it is. What is of no
    field of the form is under ``form``.
    """
    by_name: dict[str, str] = {}
    for path, why in problems:
        parts = path.removeprefix("corrections.0.").split(".")
        if parts[0] == "data":
            parts = parts[1:]
        field = "form"
        if parts and parts[0] == "reason":
            field = "reason"
        elif as_text:
            field, why = "text", f"{'.'.join(parts)}: {why}" if parts else why
        elif len(parts) > 1 and parts[0] in {"quantities", "labels"}:
            prefix = "meter" if parts[0] == "quantities" else "label"
            line = next(
                (
                    name.removeprefix(f"{prefix}:")
                    for name in form
                    if name.startswith(f"{prefix}:") and text_of(form, name) == parts[1]
                ),
                None,
            )
            field = parts[0] if line is None else f"{prefix}:{line}"
        elif parts and parts[0] in FIELDS:
            field = parts[0]
        by_name[field] = f"{by_name[field]}; {why}" if field in by_name else why
    return by_name


def with_problems(pairs: list[Pair], prefix: str, problems: Mapping[str, str]) -> list[Pair]:
    """The lines, each with what is wrong with it."""
    return [replace(pair, problem=problems.get(f"{prefix}:{pair.id}", "")) for pair in pairs]


def _data_of_fields(
    form: Mapping[str, Any], event: StoredEvent, problems: dict[str, str]
) -> dict[str, Any]:
    quantities = _pairs(form, "meter", "quantity", problems)
    if not quantities:
        problems["quantities"] = "At least one quantity is needed; to count nothing, void it."
    return {
        "application": text_of(form, "application"),
        "model": text_of(form, "model"),
        "key": text_of(form, "key") or None,
        "quantities": quantities,
        "labels": _pairs(form, "label", "value", problems),
        "counted": event.counted,
    }


def _pairs(
    form: Mapping[str, Any], names: str, values: str, problems: dict[str, str]
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for field in form:
        if not field.startswith(f"{names}:"):
            continue
        line = field.removeprefix(f"{names}:")
        name, value = text_of(form, field), text_of(form, f"{values}:{line}")
        if not name and not value:
            continue
        if not name:
            problems[field] = f"Name the {names}."
        elif name in pairs:
            problems[field] = f"The {names} {name} is there twice."
        elif names == "meter" and not _is_number(value):
            problems[field] = f"{value!r} is no number." if value else "A number is needed."
        else:
            pairs[name] = value
    return pairs


def _written_data(
    form: Mapping[str, Any], _event: StoredEvent, problems: dict[str, str]
) -> dict[str, Any]:
    try:
        # Numbers stay as they were written: a float would lose digits
        data = json.loads(text_of(form, "text"), parse_float=str)
    except json.JSONDecodeError as error:
        problems["text"] = f"Not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        return {}
    if not isinstance(data, dict):
        problems["text"] = "An object is needed: application, model, quantities."
        return {}
    return data


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False
