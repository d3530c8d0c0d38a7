"""Each way in which providers were seen to answer, with what the caller gets and is billed.

All calls are made at once, by one key, at one provider: none may change what another gets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from backend.metering.tokens.encodings import encoding
from backend.settings import Settings, Upstream
from tests.gateway.conftest import MakeKey, Metered
from tests.support.provider_double import BEHAVIORS, SECRET_WORDS, TEXT, ProviderDouble

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]

USED = {"requests": 1, "input_tokens": 50, "output_tokens": 20}
NOTHING = {"requests": 0}
AT_ONCE = 8


@dataclass(frozen=True)
class Row:
    """``says`` is the text that the caller gets; ``code`` the error, in the end of a stream too.

    ``bills`` is None where our own count of the prompt and of what was said bills.
    """

    does: str
    stream: bool
    says: str = TEXT
    status: int = 200
    code: str = ""
    bills: dict[str, int] | None = field(default_factory=lambda: dict(USED))

    @property
    def name(self) -> str:
        return f"{self.does}{' streamed' if self.stream else ''}"


def failing(does: str, *, stream: bool = False, status: int = 502, code: str = "") -> Row:
    """A way in which nothing comes of a call, and nothing is billed."""
    return Row(does, stream, "", status, code or "upstream_failed", dict(NOTHING))


def using(bills: dict[str, int] | None, **usage: Any) -> list[Row]:
    """A report of usage, in both forms of an answer."""
    does = f"use:{json.dumps(usage)}"
    return [Row(does, stream, bills=bills) for stream in (False, True)]


EITHER = (False, True)
FAULTS = ("301", "401", "402", "403", "404", "408", "409", "418", "500", "501", "502", "503")
ROWS = [
    *(Row(does, stream) for does in ("ok", "created") for stream in EITHER),
    *(Row("no_usage", stream, bills=None) for stream in EITHER),
    *(
        failing(does, stream=stream)
        for does in (*FAULTS, "504", "520", "529", "quota", "html", "drop", "hang", "hang_body")
        for stream in EITHER
    ),
    *(
        failing(does, stream=stream, status=int(does), code="bad")
        for does in ("400", "413", "415", "422")
        for stream in EITHER
    ),
    *(failing("busy", stream=stream, status=429, code="upstream_busy") for stream in EITHER),
    *(failing(does) for does in ("error200", "not_json", "a_list", "nothing", "cut")),
    failing("cut_at_once"),
    # Streams
    *(
        Row(does, True)
        for does in (
            "crlf",
            "cr",
            "bom",
            "nospace",
            "comments",
            "many_lines",
            "no_done",
            "running_usage",
        )
    ),
    Row("bytes", True, "Héllo thére"),
    *(failing(does, stream=True) for does in ("error_first", "cut_at_once", "pings")),
    *(
        Row(does, True, "Hello", code="upstream_failed", bills=None)
        for does in ("cut", "error_middle", "garbage_middle", "hang_middle", "pings_middle")
    ),
    # Reports of usage
    *using({"requests": 1}, prompt_tokens=0, completion_tokens=0),
    *using(
        {"requests": 1, "input_tokens": 10, "output_tokens": 5},
        prompt_tokens=10.0,
        completion_tokens="5",
    ),
    *using(
        {
            "requests": 1,
            "input_tokens": 20,
            "cached_input_tokens": 30,
            "output_tokens": 5,
            "reasoning_tokens": 15,
        },
        prompt_tokens=50,
        completion_tokens=20,
        prompt_tokens_details={"cached_tokens": 30},
        completion_tokens_details={"reasoning_tokens": 15},
    ),
    *using(USED, prompt_tokens=50, completion_tokens=20, prompt_tokens_details="odd"),
    *using(None, prompt_tokens=9 * 10**18, completion_tokens=9 * 10**18),
]


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with ProviderDouble() as serving:
        yield serving


@pytest.fixture
def api_settings(api_settings: Settings, double: ProviderDouble) -> Settings:
    """``sample-small`` at a provider that may be silent for some seconds."""
    upstream = Upstream(
        name="double",
        base_url=f"{double.url}/v1",
        api_key="upstream-secret",
        models={"sample-small": "their-own-name"},
        timeout_seconds=6,
    )
    return api_settings.model_copy(update={"upstreams": [upstream]})


def asking(row: Row) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"do:{row.does}"}]
    return {"model": "sample-small", "messages": messages, "stream": row.stream}


def heard(row: Row, answer: httpx.Response) -> tuple[str, str]:
    """What an answer says, and the code of its error."""
    if "text/event-stream" not in answer.headers["content-type"]:
        document = answer.json()
        if error := document.get("error"):
            return "", str(error["code"])
        return str(document["choices"][0]["message"]["content"]), ""
    said, code = [], ""
    for line in answer.text.splitlines():
        if line.startswith("data: {"):
            chunk = json.loads(line.removeprefix("data: "))
            code = code or chunk.get("error", {}).get("code", "")
            choices = chunk.get("choices", ())
            said += [choice["delta"].get("content") or "" for choice in choices]
    return "".join(said), code


def billed(row: Row) -> dict[str, int]:
    """What a row bills: by our own count 7 tokens of form, the prompt's and the answer's."""
    if row.bills is not None:
        return row.bills
    count = encoding("o200k_base")
    prompt = 7 + len(count.encode(f"do:{row.does}"))
    return {"requests": 1, "input_tokens": prompt, "output_tokens": len(count.encode(row.says))}


def test_every_behavior_of_the_double_is_in_the_table() -> None:
    # What gives advice holds off the calls after it, and what thinks waits: these are tested apart
    apart = {"busy_date", "busy_ms", "overloaded", "thinks"}
    assert {row.does.partition(":")[0] for row in ROWS} | apart == set(BEHAVIORS)


async def test_each_answer_is_told_and_billed_as_it_was(
    url: str, make_key: MakeKey, double: ProviderDouble, metered: Counted
) -> None:
    headers = {"authorization": f"Bearer {await make_key()}"}
    places = asyncio.Semaphore(AT_ONCE)
    answers: dict[str, httpx.Response] = {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=300) as http:

        async def ask(number: int, row: Row) -> None:
            async with places:
                answers[row.name] = await http.post(
                    "/v1/chat/completions",
                    json=asking(row),
                    headers={"x-request-id": f"row-{number}"},
                )

        await asyncio.gather(*(ask(number, row) for number, row in enumerate(ROWS)))
    events = {event.trace["request_id"]: event for event in await metered(len(ROWS))}
    wrong = []
    for number, row in enumerate(ROWS):
        answer, event = answers[row.name], events[f"row-{number}"]
        got = (answer.status_code, *heard(row, answer), dict(event.quantities))
        right = (row.status, row.says, row.code, billed(row))
        ended = "failed" if row.code else "completed"
        if got != right or event.labels["status"] != ended or SECRET_WORDS in answer.text:
            wrong.append((row.name, got, right, event.labels))
    assert wrong == []
    assert len(events) == len(ROWS)
