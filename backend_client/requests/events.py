"""Requests about single events, their corrections and declared labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from backend_client.errors import UnexpectedAnswer
from backend_client.requests.call import (
    Call,
    Params,
    get,
    nothing,
    of_tenant,
    reader,
    segment,
    send,
)
from backend_client.types.common import Page
from backend_client.types.corrections import (
    Correction,
    CorrectionBatch,
    CorrectionResult,
    EventsPreview,
)
from backend_client.types.events import DeclaredLabel, StoredEvent, UsageEvent


class EventFilter(TypedDict, total=False):
    """Which events: ``start`` inclusive, ``end`` exclusive; what is left out lets all through."""

    start: datetime | None
    end: datetime | None
    source: Sequence[str]
    event_id: Sequence[str]
    application: Sequence[str]
    key: Sequence[str]
    model: Sequence[str]
    meter: Sequence[str]
    labels: Mapping[str, str]


def events(
    asked: EventFilter, *, tenant: str | None, limit: int | None = None
) -> Call[Page[StoredEvent]]:
    params: Params = {} if limit is None else {"limit": limit}
    for name, moment in (("start", asked.get("start")), ("end", asked.get("end"))):
        if moment is not None:
            params[name] = moment.isoformat()
    for name, values in (
        ("source", asked.get("source")),
        ("id", asked.get("event_id")),
        ("application", asked.get("application")),
        ("key", asked.get("key")),
        ("model", asked.get("model")),
        ("meter", asked.get("meter")),
        ("label", [f"{label}={value}" for label, value in asked.get("labels", {}).items()]),
    ):
        if values:
            params[name] = list(values)
    return Call("GET", of_tenant(tenant, "events"), reader(Page[StoredEvent]), params)


def preview_events(events: Sequence[UsageEvent | Mapping[str, Any]]) -> Call[EventsPreview]:
    members = [
        one.model_dump(mode="json", exclude_none=True) if isinstance(one, UsageEvent) else one
        for one in events
    ]
    headers = {"content-type": "application/cloudevents-batch+json"}
    return Call(
        "POST",
        "/v1/events/preview",
        reader(EventsPreview),
        headers=headers,
        content=json.dumps(members).encode(),
    )


def tail(since: datetime | None, seconds: int | None) -> Call[StoredEvent]:
    """Its answer is a stream, each event of which is read by itself."""
    headers = {"accept": "text/event-stream"}
    if since is not None:
        headers["last-event-id"] = since.isoformat()
    params: Params = {} if seconds is None else {"seconds": seconds}
    return Call("GET", "/v1/events/tail", reader(StoredEvent), params, headers)


def tailed(data: str) -> StoredEvent:
    """Read an event of the tail; raise ``UnexpectedAnswer`` for anything else."""
    try:
        return StoredEvent.model_validate_json(data)
    except ValueError as error:
        raise UnexpectedAnswer("The stream holds something that is no event.") from error


def correct(batch: CorrectionBatch, *, preview: bool) -> Call[CorrectionResult]:
    # Sent again without harm: each correction has an id of its own.
    call = send("POST", "/v1/corrections", batch, CorrectionResult, repeatable=True)
    params: Params = {"preview": "true" if preview else "false"}
    return Call(call.method, call.path, call.read, params, call.headers, call.content)


def corrections(
    *, source: str | None, event_id: str | None, tenant: str | None, limit: int | None = None
) -> Call[Page[Correction]]:
    given = {"source": source, "event": event_id, "limit": limit}
    params: Params = {name: value for name, value in given.items() if value is not None}
    return Call("GET", of_tenant(tenant, "corrections"), reader(Page[Correction]), params)


def labels() -> Call[Page[DeclaredLabel]]:
    return get("/v1/labels", Page[DeclaredLabel])


def declare_label(label: str, tenant: str | None) -> Call[DeclaredLabel]:
    return Call("PUT", _label(label), reader(DeclaredLabel), _of(tenant))


def withdraw_label(label: str, tenant: str | None) -> Call[None]:
    return Call("DELETE", _label(label), nothing, _of(tenant), repeatable=False)


def _label(label: str) -> str:
    return f"/v1/labels/{segment(label)}"


def _of(tenant: str | None) -> Params:
    return {} if tenant is None else {"tenant": tenant}
