"""What the stand-in keeps: objects by their ids, lists of them, and webhooks about them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Object = dict[str, Any]

CONSTRAINT = "400-constraint-violation"
DUPLICATE = "400-duplicate-resource-creation"
INVALID = "400-request-validation-errors"
NOT_THERE = "404-resource-not-found"


class OrbError(Exception):
    """What Orb refuses: ``code`` is the end of the problem's type."""

    def __init__(self, detail: str, code: str = CONSTRAINT, **members: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.status = int(code[:3])
        self.members = members

    def problem(self) -> Object:
        return {
            "type": f"https://docs.withorb.com/reference/error-responses#{self.code}",
            "status": self.status,
            "title": self.code[4:].replace("-", " "),
            "detail": str(self),
            **self.members,
        }


@dataclass
class Store:
    """Objects by their ids, and the webhooks about them."""

    objects: dict[str, Object] = field(default_factory=dict)
    events: list[Object] = field(default_factory=list)
    """Webhooks that are to be delivered, oldest first."""

    def __post_init__(self) -> None:
        self.numbers = itertools.count(1)

    def all(self, kind: str) -> list[Object]:
        """Objects of a kind, oldest first."""
        return [item for item in self.objects.values() if item["_kind"] == kind]

    def find(self, item_id: str) -> Object:
        if item_id not in self.objects:
            said = f"Could not find a resource with identifier: {item_id}."
            raise OrbError(said, NOT_THERE)
        return self.objects[item_id]

    def add(self, kind: str, now: datetime, **values: Any) -> Object:
        item_id = f"{kind}{next(self.numbers):06d}"
        item = {"_kind": kind, "id": item_id, "created_at": iso(now), "metadata": {}, **values}
        self.objects[item_id] = item
        return item

    def happen(self, kind: str, now: datetime, *, of: Object, **properties: Any) -> Object:
        """Note a webhook about an object, with the object as it is now in it."""
        event = {
            "id": f"whe{next(self.numbers):06d}",
            "created_at": iso(now),
            "type": kind,
            "payload_style": "expanded",
            "properties": properties,
            kind.partition(".")[0]: shown(of),
        }
        self.events.append(event)
        return event


def iso(at: datetime) -> str:
    """A time as Orb writes it."""
    return at.astimezone(UTC).isoformat()


def when(text: str) -> datetime:
    """A time of a request."""
    return datetime.fromisoformat(text).astimezone(UTC)


def shown(item: Object) -> Object:
    """An object without what only the stand-in knows."""
    visible: Object = _visible(item)
    return visible


def _visible(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: member for name, member in value.items() if not name.startswith("_")}
        return {name: _visible(member) for name, member in kept.items()}
    if isinstance(value, list):
        return [_visible(member) for member in value]
    return value


def listed(items: list[Object], query: Object) -> Object:
    """A page of a list, the newest first."""
    newest = list(reversed(items))
    first, limit = int(query.get("cursor") or 0), query.get("limit", 20)
    more = len(newest) > first + limit
    return {
        "data": [shown(item) for item in newest[first : first + limit]],
        "pagination_metadata": {
            "has_more": more,
            "next_cursor": str(first + limit) if more else None,
        },
    }


def plain(amount: Decimal) -> str:
    """An amount as Orb writes it."""
    return format(amount, "f")
