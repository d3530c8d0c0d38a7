"""What the stand-in keeps: objects by their ids, lists of them, and webhooks about them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Object = dict[str, Any]


class StripeError(Exception):
    """What Stripe refuses."""

    def __init__(
        self,
        message: str,
        code: str | None = None,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.kind = kind


@dataclass
class Store:
    """Objects by their ids, and the webhooks about them."""

    objects: dict[str, Object] = field(default_factory=dict)
    events: list[Object] = field(default_factory=list)
    """Webhooks that are to be delivered, oldest first."""

    def __post_init__(self) -> None:
        self.numbers = itertools.count(1)

    def all(self, kind: str) -> list[Object]:
        return [item for item in self.objects.values() if item["object"] == kind]

    def find(self, item_id: str) -> Object:
        if item_id not in self.objects:
            raise StripeError(f"No such object: '{item_id}'", "resource_missing", status=404)
        return self.objects[item_id]

    def add(self, prefix: str, kind: str, now: datetime, **values: Any) -> Object:
        item_id = f"{prefix}_{next(self.numbers):06d}"
        item = {
            "id": item_id,
            "object": kind,
            "created": int(now.timestamp()),
            "livemode": False,
            "metadata": {},
            **{name: value for name, value in values.items() if value is not None},
        }
        self.objects[item_id] = item
        return item

    def happen(self, kind: str, item: Object, now: datetime) -> Object:
        """Note a webhook about an object, with the object as it is now in it."""
        event = {
            "id": f"evt_{next(self.numbers):06d}",
            "object": "event",
            "type": kind,
            "created": int(now.timestamp()),
            "livemode": False,
            "pending_webhooks": 1,
            "api_version": "2026-05-27.dahlia",
            "data": {"object": dict(item)},
        }
        self.events.append(event)
        return event


def change(item: Object, values: Object) -> Object:
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(item.get(name), dict):
            item[name] = item[name] | value
        else:
            item[name] = value
    return item


def page(items: list[Object], values: Object) -> Object:
    after = values.get("starting_after")
    if after is not None:
        places = [place for place, item in enumerate(items) if item["id"] == after]
        items = items[places[0] + 1 :] if places else []
    limit = values.get("limit", 10)
    return {
        "object": "list",
        "url": "/v1",
        "data": items[:limit],
        "has_more": len(items) > limit,
    }
