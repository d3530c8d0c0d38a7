"""What differs between two plans, part by part. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backend_client.types.plan_versions import PlanChange
from backend_client.types.plans import PlanDefinition


def diff(before: PlanDefinition, after: PlanDefinition) -> list[PlanChange]:
    """Return what changed, in the order of the plan's fields.

    Parts that have ids, such as charges, are compared by them, wherever in their list they are.
    """
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return [PlanChange(path=path, before=was, after=now) for path, was, now in _walk("", old, new)]


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    old_parts, new_parts = _parts(old), _parts(new)
    if old_parts is None or new_parts is None:
        if old != new:
            yield path, old, new
        return
    for name in dict.fromkeys([*old_parts, *new_parts]):
        below = f"{path}.{name}".lstrip(".")
        yield from _walk(below, old_parts.get(name), new_parts.get(name))


def _parts(value: Any) -> dict[str, Any] | None:
    """Return a value's named parts; None if it has none, or is to be shown whole."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        keys = [
            item.get("id", item.get("currency", str(place))) for place, item in enumerate(value)
        ]
        return dict(zip(keys, value, strict=True))
    return None
