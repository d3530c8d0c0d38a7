"""Pictures, moderations and rerank pass through, each with its meters."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.gateway.chat_answers import NOTHING
from tests.gateway.conftest import Metered
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
MODEL = "sample-small"
PICTURES: dict[str, Any] = {"created": 1, "data": [{"b64_json": "aGk="}, {"b64_json": "aGk="}]}


def reply(document: dict[str, Any]) -> Reply:
    return Reply(body=json.dumps(document).encode())


TOKENS = {"input_tokens": 50, "output_tokens": 4_160, "total_tokens": 4_210}


@pytest.mark.parametrize("route", ["generate", "edit"])
@pytest.mark.parametrize("as_stream", [True, False])
async def test_a_picture_is_streamed(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, route: str, as_stream: bool
) -> None:
    """Also where the provider answers in one piece."""
    name = "image_generation" if route == "generate" else "image_edit"
    picture = {"b64_json": "aGk=", "created_at": 1}
    parts = [
        {"type": f"{name}.partial_image", "partial_image_index": 0, **picture},
        {"type": f"{name}.completed", "usage": TOKENS, **picture},
    ]
    body = b"".join(b"data: " + json.dumps(part).encode() + b"\n\n" for part in parts)
    provider.replies = [
        Reply(body=body, headers={"content-type": "text/event-stream"})
        if as_stream
        else reply({"created": 1, "data": [{"b64_json": "aGk="}], "usage": TOKENS})
    ]
    asked: Any = {"model": MODEL, "prompt": "A boat", "stream": True, "partial_images": 1}
    if route == "edit":
        asked["image"] = ("a.png", b"\x89PNG" * 9, "image/png")
    stream = await getattr(client.images, route)(**asked)
    events = [event async for event in stream]
    assert (events[-1].type, events[-1].b64_json) == (f"{name}.completed", "aGk=")
    assert len(events) == (2 if as_stream else 1)
    assert b"their-own-name" in provider.seen[0].body
    (event,) = await metered(1)
    used = {"requests": 1, "images": 1, "input_tokens": 50, "image_output_tokens": 4_160}
    assert (event.quantities, event.labels["status"]) == (used, "completed")


async def test_pictures_are_edited(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [reply(PICTURES)]
    pictures = [("a.png", b"first", "image/png"), ("b.png", b"second", "image/png")]
    edited = await client.images.edit(model=MODEL, prompt="A boat", image=pictures, n=2)
    assert [picture.b64_json for picture in edited.data or []] == ["aGk=", "aGk="]
    (request,) = provider.seen
    assert request.path == "/v1/images/edits"
    assert b"first" in request.body
    assert b"second" in request.body
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "images": 2}
    with pytest.raises(openai.BadRequestError) as raised:
        await client.images.edit(model=MODEL, prompt="A boat", image=pictures, n=11)
    assert raised.value.param == "n"


async def test_pictures_count_beside_their_tokens(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    tokens = {
        "input_tokens": 50,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        "output_tokens": 4_160,
        "total_tokens": 4_210,
    }
    provider.replies = [reply({**PICTURES, "usage": tokens}), reply(PICTURES)]
    images = await client.images.generate(
        model=MODEL, prompt="A boat", n=2, extra_headers={"x-farebox-labels": "team=art"}
    )
    assert images.data is not None
    assert len(images.data) == 2
    await client.images.generate(model=MODEL, prompt="A boat", n=2, user="u1")
    assert provider.seen[0].path == "/v1/images/generations"
    assert json.loads(provider.seen[0].body)["model"] == "their-own-name"
    reported, plain = await metered(2)
    assert reported.quantities == {
        "requests": 1,
        "input_tokens": 10,
        "image_input_tokens": 40,
        "image_output_tokens": 4_160,
        "images": 2,
    }
    assert plain.quantities == {"requests": 1, "images": 2}
    assert reported.labels["team"] == "art"
    assert plain.labels["user"] == "u1"


async def test_texts_are_judged(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [reply({"id": "m", "model": "their-own-name", "results": []})]
    judged = await client.moderations.create(model=MODEL, input=["A text"])
    assert judged.model == MODEL
    assert [event.quantities for event in await metered(1)] == [{"requests": 1}]


@pytest.mark.parametrize(
    ("report", "billed"),
    [
        ({"meta": {"billed_units": {"search_units": 2}}}, {"requests": 1, "searches": 2}),
        ({"usage": {"total_tokens": 9, "prompt_tokens": 9}}, {"requests": 1, "input_tokens": 9}),
    ],
    ids=["Cohere", "Jina"],
)
async def test_documents_are_put_in_order(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Counted,
    report: dict[str, Any],
    billed: dict[str, int],
) -> None:
    results = [{"index": 1, "relevance_score": 0.9}]
    provider.replies = [reply({"id": "r", "results": results, **report})]
    asked = {"model": MODEL, "query": "Sea?", "documents": ["Sand", "Water"]}
    answer: Any = await client.post("/rerank", cast_to=object, body=asked)
    assert answer["results"] == results
    assert provider.seen[0].path == "/v1/rerank"
    assert [event.quantities for event in await metered(1)] == [billed]


async def test_an_answer_without_results_bills_nothing(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [reply({"error": {"message": "sk-theirs"}})]
    with pytest.raises(openai.InternalServerError) as raised:
        await client.images.generate(model=MODEL, prompt="A boat")
    assert "sk-theirs" not in str(raised.value.body)
    assert [event.quantities for event in await metered(1)] == [NOTHING]


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("/images/generations", {"prompt": ""}, "prompt"),
        ("/images/generations", {"prompt": "x", "n": 11}, "n"),
        ("/images/generations", {"prompt": "x", "stream": 5}, "stream"),
        ("/images/generations", {"prompt": "x", "stream": True, "n": 2}, "n"),
        ("/images/edits", {"image": "x"}, "prompt"),
        ("/moderations", {"input": []}, "input"),
        ("/rerank", {"query": 5, "documents": ["x"]}, "query"),
        ("/rerank", {"query": "x", "documents": []}, "documents"),
    ],
)
async def test_what_can_not_be_asked_is_named(
    client: AsyncOpenAI, path: str, body: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.post(path, cast_to=object, body={"model": MODEL, **body})
    assert raised.value.param == parameter
