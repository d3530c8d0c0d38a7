"""Calls as the requests page shows them. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backend_client.types.requests import LoggedRequest, RequestOutcome
from portal.features.requests.question import OUTCOMES
from portal.kit.color import Color
from portal.kit.facts import FactRow
from portal.kit.formatting import exact_money, second
from portal.shared.events.rows import quantities_note

COLORS: Final[dict[RequestOutcome, Color]] = {
    "completed": "green",
    "failed": "red",
    "aborted": "gray",
    "refused": "orange",
}


@dataclass(frozen=True)
class RequestRow:
    """A call in the list."""

    id: str
    day: str
    time: str
    status: str
    outcome: str
    color: Color
    model: str
    upstream: str
    application: str
    key: str
    duration: str
    first_token: str
    note: str
    cost: str


def request_row(call: LoggedRequest, names: Mapping[str, str], time_zone: str) -> RequestRow:
    """A call as the list shows it: what it used, or why it came to nothing."""
    day, _, time = second(call.time, time_zone).rpartition(", ")
    return RequestRow(
        id=call.id,
        day=day,
        time=time,
        status=str(call.status),
        outcome=OUTCOMES[call.outcome],
        color=COLORS[call.outcome],
        model=call.model or "–",
        upstream=call.upstream or "",
        application=_named(call.application, names),
        key=_named(call.key, names),
        duration=duration(call.duration_ms),
        first_token="" if call.first_token_ms is None else duration(call.first_token_ms),
        note=call.error_detail or quantities_note(call.quantities),
        cost=_cost(call),
    )


def duration(milliseconds: int) -> str:
    """How long something took: ``812 ms``, ``2.4 s``."""
    return f"{milliseconds:,} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


def fact_rows(
    call: LoggedRequest, names: Mapping[str, str], time_zone: str, *, operates: bool
) -> list[FactRow]:
    """All that is known of a call; who served it for ``operates`` or where the seller shows it."""
    about = [
        ("Status", f"{call.status}, {OUTCOMES[call.outcome].lower()}"),
        ("Why", call.error_detail or ""),
        ("Code", call.error_code or ""),
        ("Began", second(call.time, time_zone)),
        ("Took", duration(call.duration_ms)),
        ("First token", "" if call.first_token_ms is None else duration(call.first_token_ms)),
        ("Model", call.model),
        ("Protocol", f"{call.protocol}{', streamed' if call.streamed else ''}"),
        ("Application", _named(call.application, names)),
        ("Key", _named(call.key, names)),
        ("Upstream", call.upstream or ""),
        ("Attempts", str(call.attempts) if operates or call.attempts > 1 else ""),
        ("Used", quantities_note(call.quantities)),
        ("Cost", _cost(call)),
        ("Event", call.event_id or ""),
        ("Request id", call.request_id or ""),
        ("Provider's id", call.answer_id or ""),
    ]
    labels = [
        (f"Label {name}", value)
        for name, value in sorted(call.labels.items())
        if name not in _SHOWN_ELSEWHERE
    ]
    return [FactRow(name, value) for name, value in (*about, *labels) if value]


_SHOWN_ELSEWHERE: Final = {"status", "request_id", "answer_id", "attempts", "first_token_ms"}


def _named(id_: str | None, names: Mapping[str, str]) -> str:
    return "" if id_ is None else names.get(id_, id_)


def _cost(call: LoggedRequest) -> str:
    if call.cost is None or call.currency is None:
        return ""
    return exact_money(call.cost, call.currency)
