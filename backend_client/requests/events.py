"""Requests about single events, their corrections and declared labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from backend_client.requests.call import Call, Params, get, nothing, reader, segment, send
from backend_client.types.common import Page
from backend_client.types.corrections import Correction, CorrectionBatch, CorrectionResult
from backend_client.types.events import DeclaredLabel, StoredEvent


def events(
    *,
    start: datetime | None,
    end: datetime | None,
    source: Sequence[str],
    event_id: Sequence[str],
    application: Sequence[str],
    key: Sequence[str],
    model: Sequence[str],
    meter: Sequence[str],
    labels: Mapping[str, str],
) -> Call[Page[StoredEvent]]:
    params: Params = {}
    for name, moment in (("start", start), ("end", end)):
        if moment is not None:
            params[name] = moment.isoformat()
    for name, values in (
        ("source", source),
        ("id", event_id),
        ("application", application),
        ("key", key),
        ("model", model),
        ("meter", meter),
        ("label", [f"{label}={value}" for label, value in labels.items()]),
    ):
        if values:
            params[name] = list(values)
    return Call("GET", "/v1/events", reader(Page[StoredEvent]), params)


def correct(batch: CorrectionBatch, *, preview: bool) -> Call[CorrectionResult]:
    # Sent again without harm: each correction has an id of its own.
    call = send("POST", "/v1/corrections", batch, CorrectionResult, repeatable=True)
    params: Params = {"preview": "true" if preview else "false"}
    return Call(call.method, call.path, call.read, params, call.headers, call.content)


def corrections(*, source: str | None, event_id: str | None) -> Call[Page[Correction]]:
    given = {"source": source, "event": event_id}
    params: Params = {name: value for name, value in given.items() if value is not None}
    return Call("GET", "/v1/corrections", reader(Page[Correction]), params)


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
