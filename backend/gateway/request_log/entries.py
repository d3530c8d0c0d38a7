"""What the log keeps of a call. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from backend.accounts.principal import Principal
from backend.errors import FareboxError
from backend.gateway.call import Call, Status
from backend.kit.origin import origin
from backend_client.types.requests import RequestOutcome
from backend_client.types.texts import shown

LEFT_STATUS: Final = 499
"""Of a call that its caller broke off: no answer's status says so. nginx writes it too."""
_LONGEST: Final = 300
_LONGEST_MODEL: Final = 200


@dataclass(slots=True)
class Bodies:
    """What was asked and answered; ``answer`` makes its document, or the text of a stream."""

    request: Any
    answer: Callable[[], Any]
    size: int
    """About how many bytes of memory it holds."""


@dataclass(slots=True)
class Entry:
    """One call as it is logged; the names are those of the table's columns."""

    caller: Principal
    id: str
    time: datetime
    outcome: RequestOutcome
    status: int
    protocol: str
    model: str
    application_id: str
    streamed: bool = False
    key_id: str = ""
    upstream: str = ""
    attempts: int = 0
    duration_ms: int = 0
    first_token_ms: int | None = None
    error_code: str | None = None
    error_detail: str | None = None
    event_id: str | None = None
    request_id: str = ""
    answer_id: str = ""
    quantities: dict[str, Decimal] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    bodies: Bodies | None = None

    def row(self, amount: Decimal | None, currency: str | None) -> dict[str, Any]:
        """Return it as it is written, as JSON; decimals are texts, so that no digit is lost."""
        return {
            "tenant_id": self.caller.tenant_id,
            "id": self.id,
            "time": self.time.isoformat(),
            "outcome": self.outcome,
            "status": self.status,
            "protocol": self.protocol,
            "model": self.model,
            "application_id": self.application_id,
            "streamed": self.streamed,
            "key_id": self.key_id,
            "upstream": self.upstream,
            "attempts": self.attempts,
            "duration_ms": self.duration_ms,
            "first_token_ms": self.first_token_ms,
            "error_code": self.error_code,
            "error_detail": self.error_detail,
            "event_id": self.event_id,
            "request_id": self.request_id,
            "answer_id": self.answer_id,
            "quantities": {meter: str(units) for meter, units in self.quantities.items()},
            "labels": self.labels,
            "cost": None if amount is None else str(amount),
            "currency": currency,
        }


def entry_of(call: Call, status: Status) -> Entry:
    """Return the entry of a call whose event is made."""
    caller, error = call.admitted.caller, call.error
    first = call.first_token_seconds if call.asked.stream else None
    if status == "completed":
        answer_status = 200
    elif status == "aborted":
        answer_status = LEFT_STATUS
    else:
        answer_status = 500 if error is None else error.status
    return Entry(
        caller=caller,
        id=call.event_id,
        time=call.began,
        outcome=status,
        status=answer_status,
        protocol=call.asked.protocol.name,
        model=call.admitted.model.id,
        application_id=call.admitted.application_id,
        streamed=call.asked.stream,
        key_id=caller.id if caller.kind == "key" else "",
        upstream=call.provider.upstream.name if call.attempts else "",
        attempts=call.attempts,
        duration_ms=round(call.seconds * 1000),
        first_token_ms=None if first is None else round(first * 1000),
        error_code=None if error is None else error.code,
        error_detail=None if error is None else shown(error.detail, most=_LONGEST),
        event_id=call.event_id,
        request_id=call.request_id or "",
        answer_id=call.answer_id or "",
        quantities=call.quantities,
        labels=call.labels,
    )


def refused_entry(
    caller: Principal,
    call_id: str,
    protocol: str,
    error: FareboxError,
    began: float,
    *,
    model: str | None = None,
    application_id: str | None = None,
    streamed: bool = False,
) -> Entry:
    """Return the entry of a call that was not made; ``began`` is of the monotonic clock."""
    return Entry(
        caller=caller,
        id=call_id,
        time=datetime.now(UTC),
        outcome="refused",
        status=error.status,
        protocol=protocol,
        model=shown(model or "", most=_LONGEST_MODEL),
        application_id=application_id or caller.application_id or "",
        streamed=streamed,
        key_id=caller.id if caller.kind == "key" else "",
        duration_ms=round((time.monotonic() - began) * 1000),
        error_code=error.code,
        error_detail=shown(error.detail, most=_LONGEST),
        request_id=origin().request_id or "",
    )
