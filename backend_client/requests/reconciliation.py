"""Requests about token counts, their drift, and providers' exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from backend_client.requests.call import Call, Params, get, reader, segment, send
from backend_client.types.common import Page
from backend_client.types.drift import DriftReport
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyChange,
    DiscrepancyStatus,
    MarginReport,
    Reconciliation,
    ReconciliationOptions,
)
from backend_client.types.tokens import TokenCountRequest, TokenCountResult


def count_tokens(wanted: TokenCountRequest) -> Call[TokenCountResult]:
    return send("POST", "/v1/tokens/count", wanted, TokenCountResult, repeatable=True)


def drift(start: date | None, end: date | None, models: Sequence[str]) -> Call[DriftReport]:
    params: Params = {
        name: day.isoformat() for name, day in (("start", start), ("end", end)) if day is not None
    }
    if models:
        params["model"] = list(models)
    return Call("GET", "/v1/drift", reader(DriftReport), params)


def import_export(
    content: bytes, options: ReconciliationOptions, name: str
) -> Call[Reconciliation]:
    params: Params = {"options": options.model_dump_json(exclude_defaults=True), "name": name}
    # Sent again without harm: the same file is the import that was there.
    return Call(
        "POST",
        "/v1/reconciliations",
        reader(Reconciliation),
        params,
        {"content-type": "application/octet-stream"},
        content,
    )


def reconciliations() -> Call[Page[Reconciliation]]:
    return get("/v1/reconciliations", Page[Reconciliation])


def reconciliation(reconciliation_id: str) -> Call[Reconciliation]:
    return get(_of(reconciliation_id), Reconciliation)


def match_again(reconciliation_id: str) -> Call[Reconciliation]:
    return Call("POST", f"{_of(reconciliation_id)}/match", reader(Reconciliation))


def discrepancies(
    reconciliation_id: str, statuses: Sequence[DiscrepancyStatus]
) -> Call[Page[Discrepancy]]:
    path = f"{_of(reconciliation_id)}/discrepancies"
    params: Params = {**_statuses(statuses), "limit": 200}
    return Call("GET", path, reader(Page[Discrepancy]), params)


def discrepancies_csv(reconciliation_id: str, statuses: Sequence[DiscrepancyStatus]) -> Call[str]:
    path = f"{_of(reconciliation_id)}/discrepancies"
    params: Params = {**_statuses(statuses), "format": "csv"}
    return Call("GET", path, lambda response: response.text, params)


def change_discrepancy(
    reconciliation_id: str, discrepancy_id: str, change: DiscrepancyChange
) -> Call[Discrepancy]:
    path = f"{_of(reconciliation_id)}/discrepancies/{segment(discrepancy_id)}"
    return send("PATCH", path, change, Discrepancy, repeatable=False)


def margin(at: datetime | None, cursor: str | None) -> Call[MarginReport]:
    params: Params = {} if at is None else {"at": at.isoformat()}
    if cursor is not None:
        params["cursor"] = cursor
    return Call("GET", "/v1/margin", reader(MarginReport), params)


def _of(reconciliation_id: str) -> str:
    return f"/v1/reconciliations/{segment(reconciliation_id)}"


def _statuses(statuses: Sequence[DiscrepancyStatus]) -> Params:
    return {"status": [status.value for status in statuses]} if statuses else {}
