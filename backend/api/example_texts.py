"""Examples of the OpenAPI document that can't be made from types."""

from __future__ import annotations

from typing import Any, Final

TEXTS: Final = {
    "text/csv": "time,model,quantity\r\n2026-03-01T09:00:00Z,your-model,1200\r\n",
    "application/jsonl": '{"time": "2026-03-01T09:00:00Z", "action": "key.create"}\n',
    "application/xml": '<?xml version="1.0" encoding="UTF-8"?>\n<Invoice/>\n',
    "text/event-stream": 'id: 1\ndata: {"time": "2026-03-01T09:00:00Z"}\n\n',
    "text/plain": "farebox_requests_total 1\n",
}
"""By media type; files that are no text have none."""

_SIMULATION: Final = {
    "workload": {
        "requests_per_day": "5000",
        "per_request": {"input_tokens": "800", "output_tokens": "200"},
        "models": {"your-model": "1"},
    }
}

WRITTEN: Final[dict[str, Any]] = {
    "POST /v1/simulate request": _SIMULATION,
    "POST /v1/public/simulate request": _SIMULATION,
    "POST /v1/public/simulate.pdf request": _SIMULATION,
    "POST /v1/tenants/{tenant_id}/simulate request": _SIMULATION,
    "POST /v1/tenants/{tenant_id}/contracts request": {
        "name": "A year, paid monthly",
        "start": "2026-04-01T00:00:00Z",
        "periods": 12,
        "net_days": 30,
        "renews": True,
    },
    "POST /v1/tenants/{tenant_id}/contracts/{contract_id}/amendments request": {
        "effective_at": "2026-10-01T00:00:00Z",
        "more": "500",
        "reason": "A second team joins",
    },
    "PUT /v1/coupons/{coupon_id} request": {
        "id": "welcome",
        "name": "Welcome",
        "percent": "20",
        "periods": 3,
    },
    "GET /readyz": {"status": "ready", "checks": {"postgresql": True, "nats": True}},
    "POST /v1/tenants/{tenant_id}/platforms/compare": None,
    "POST /v1/reconciliations request": {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": 1772323200,
                "end_time": 1772409600,
                "results": [
                    {
                        "object": "organization.usage.completions.result",
                        "input_tokens": 1200,
                        "output_tokens": 340,
                        "num_model_requests": 2,
                        "model": "provider-model-2026-01",
                    }
                ],
            }
        ],
        "has_more": False,
    },
}
"""By the schema of a request, or by the place that it stands in."""
