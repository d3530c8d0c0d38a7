"""Requests about events and usage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import TypeAdapter

from backend_client.requests.call import Call, Params, get, nothing, reader, send
from backend_client.types.common import Page
from backend_client.types.dead_letters import DeadLetter, DeadLetterContent, DeadLetterReplay
from backend_client.types.events import IngestResult, UsageEvent
from backend_client.types.pipeline import Pipeline
from backend_client.types.usage import Granularity, UsageDimension, UsageReport


def usage(
    *,
    start: datetime | None,
    end: datetime | None,
    granularity: Granularity,
    group_by: Iterable[UsageDimension],
    application: Sequence[str],
    key: Sequence[str],
    model: Sequence[str],
    meter: Sequence[str],
    etag: str | None = None,
) -> Call[UsageReport | None]:
    params: Params = {"granularity": granularity.value}
    for name, moment in (("start", start), ("end", end)):
        if moment is not None:
            params[name] = moment.isoformat()
    # UsageReport always groups by meter.
    dimensions = [one.value for one in group_by if one is not UsageDimension.METER]
    for name, values in (
        ("group_by", dimensions),
        ("application", application),
        ("key", key),
        ("model", model),
        ("meter", meter),
    ):
        if values:
            params[name] = list(values)
    read = reader(UsageReport)
    return Call(
        "GET",
        "/v1/usage",
        lambda response: None if response.status_code == 304 else read(response),
        params,
        {"if-none-match": etag} if etag else {},
    )


def usage_csv(asked: Call[UsageReport | None]) -> Call[str]:
    return Call(
        "GET", asked.path, lambda response: response.text, {**asked.params, "format": "csv"}
    )


def send_events(events: Sequence[UsageEvent]) -> Call[IngestResult]:
    content = TypeAdapter(list[UsageEvent]).dump_json(list(events), exclude_none=True)
    headers = {"content-type": "application/cloudevents-batch+json"}
    # Sent again without harm: an event counts once.
    return Call("POST", "/v1/events", reader(IngestResult), headers=headers, content=content)


def dead_letters() -> Call[Page[DeadLetter]]:
    return get("/v1/dead-letters", Page[DeadLetter])


def dead_letter(sequence: int) -> Call[DeadLetterContent]:
    return get(f"/v1/dead-letters/{sequence}", DeadLetterContent)


def replay_dead_letter(sequence: int, wanted: DeadLetterReplay) -> Call[IngestResult]:
    # A second time finds no letter, which would be told as a failure.
    return send(
        "POST", f"/v1/dead-letters/{sequence}/replay", wanted, IngestResult, repeatable=False
    )


def discard_dead_letter(sequence: int) -> Call[None]:
    return Call("DELETE", f"/v1/dead-letters/{sequence}", nothing, repeatable=False)


def pipeline() -> Call[Pipeline]:
    return get("/v1/pipeline", Pipeline)
