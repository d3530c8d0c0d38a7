"""Speech, transcriptions and translations by OpenAI's own SDK, each with its meters.

What the provider here is asked and answers is checked against OpenAI's published OpenAPI, but for
what is meant to be odd.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from tests.gateway.chat_answers import NOTHING
from tests.gateway.conftest import MakeKey, Metered
from tests.support.flaky import FlakyServer, Reply
from tests.support.openai_audio.schemas import checked, checked_form

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
MODEL = "sample-small"
SOUND = bytes(range(256)) * 400
TEXT = "Good morning"
SPOKEN = {"requests": 1, "characters": len(TEXT)}
DURATION = {"type": "duration", "seconds": 9}
TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    "output_tokens": 45,
    "total_tokens": 59,
}
SEGMENT = {
    **{"seek": 0, "tokens": [1], "temperature": 0.0, "avg_logprob": -0.2},
    **{"compression_ratio": 1.1, "no_speech_prob": 0.01},
}
SEGMENTS = [
    {"id": 0, "start": 0.0, "end": 3.5, "text": " Good", **SEGMENT},
    {"id": 1, "start": 3.5, "end": 9.0, "text": "x", **SEGMENT},
]
BARE_SEGMENTS = [
    {"id": 0, "start": 0.0, "end": 3.5, "text": " Good"},
    {"start": 3.5, "end": 9, "text": "x"},
]


def sound(**more: Any) -> Reply:
    return Reply(body=SOUND, headers={"content-type": "audio/mpeg"}, **more)


def said(of: str | None = "CreateTranscriptionResponseJson", **members: Any) -> Reply:
    """An answer, which OpenAI describes by this name; an odd one by none."""
    document = {"text": TEXT, **members}
    return Reply(body=json.dumps(checked(of, document) if of else document).encode())


def events(of: str, *documents: dict[str, Any]) -> Reply:
    body = b"".join(
        b"data: " + json.dumps(checked(of, document)).encode() + b"\n\n" for document in documents
    )
    return Reply(body=body, headers={"content-type": "text/event-stream"})


async def test_a_text_is_read_aloud(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [sound()]
    answer = await client.audio.speech.create(model=MODEL, voice="alloy", input=TEXT)
    assert answer.content == SOUND
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert answer.response.headers["x-farebox-event"].startswith("req_")
    assert provider.seen[0].path == "/v1/audio/speech"
    asked = checked("CreateSpeechRequest", json.loads(provider.seen[0].body))
    assert asked["model"] == "their-own-name"
    (event,) = await metered(1)
    assert (event.quantities, event.labels["status"]) == (SPOKEN, "completed")


async def test_speech_in_events_counts_its_tokens_too(
    url: str, make_key: MakeKey, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [
        events(
            "CreateSpeechResponseStreamEvent",
            {"type": "speech.audio.delta", "audio": "aGk="},
            {
                "type": "speech.audio.done",
                "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115},
            },
        )
    ]
    asked = {"model": MODEL, "voice": "alloy", "input": TEXT, "stream_format": "sse"}
    headers = {"authorization": f"Bearer {await make_key()}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        answer = await http.post("/v1/audio/speech", json=asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"speech.audio.delta"' in answer.text
    (event,) = await metered(1)
    assert event.quantities == SPOKEN | {"input_tokens": 14, "audio_output_tokens": 101}


async def test_speech_that_fails_is_told_and_bills_nothing(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [Reply(body=b'{"error": {"message": "sk-theirs", "code": "x"}}')]
    with pytest.raises(openai.InternalServerError) as raised:
        await client.audio.speech.create(model=MODEL, voice="alloy", input=TEXT)
    assert "sk-theirs" not in str(raised.value.body)
    assert [event.quantities for event in await metered(1)] == [NOTHING]


async def test_sound_that_breaks_off_is_cut_off_and_billed_as_its_provider_does(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [sound(cut=5000)]
    with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
        await client.audio.speech.create(model=MODEL, voice="alloy", input=TEXT)
    (event,) = await metered(1)
    assert (event.quantities, event.labels["status"]) == (SPOKEN, "failed")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI's own translations
@pytest.mark.parametrize("route", ["transcriptions", "translations"])
async def test_a_file_is_written_down(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, route: str
) -> None:
    kind = "Transcription" if route == "transcriptions" else "Translation"
    provider.replies = [said(f"Create{kind}ResponseJson", usage=DURATION)]
    of_route: Any = getattr(client.audio, route)
    answer = await of_route.create(
        model=MODEL, file=("a.mp3", SOUND[:3000], "audio/mpeg"), prompt="é"
    )
    assert answer.text == TEXT
    (request,) = provider.seen
    assert request.path == f"/v1/audio/{route}"
    sent = checked_form(f"Create{kind}Request", request.headers, request.body)
    assert (sent["model"], sent["prompt"]) == ("their-own-name", "é")
    assert SOUND[:3000] in request.body
    for part in (b'name="model"\r\n\r\ntheir-own-name', "é".encode()):
        assert part in request.body
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "audio_seconds": 9}


@pytest.mark.parametrize("is_odd", [False, True])
@pytest.mark.parametrize(
    ("wanted", "asked", "gets"),
    [
        ("text", "json", f"{TEXT}\n"),
        ("srt", "verbose_json", "1\n00:00:00,000 --> 00:00:03,500\nGood\n\n2\n"),
        ("vtt", "verbose_json", "WEBVTT\n\n00:00:00.000 --> 00:00:03.500\nGood\n\n"),
    ],
)
async def test_a_format_without_a_report_is_written_here_and_billed_by_one(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Counted,
    wanted: Any,
    asked: str,
    gets: str,
    is_odd: bool,
) -> None:
    whole = {"language": "english", "duration": 8.4701, "segments": SEGMENTS}
    provider.replies = [
        said(None, duration="8.4701", segments=BARE_SEGMENTS)
        if is_odd
        else said("CreateTranscriptionResponseVerboseJson", **whole)
    ]
    answer = await client.audio.transcriptions.create(
        model=MODEL, file=("a.mp3", SOUND[:300]), response_format=wanted
    )
    assert str(answer).startswith(gets)
    checked_form("CreateTranscriptionRequest", provider.seen[0].headers, provider.seen[0].body)
    assert f'name="response_format"\r\n\r\n{asked}\r\n'.encode() in provider.seen[0].body
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "audio_seconds": Decimal("8.471")}


async def test_a_transcript_is_streamed_and_counts_its_tokens(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [
        events(
            "CreateTranscriptionResponseStreamEvent",
            {"type": "transcript.text.delta", "delta": "Good "},
            {"type": "transcript.text.delta", "delta": "morning"},
            {"type": "transcript.text.done", "text": TEXT, "usage": TOKENS},
        )
    ]
    stream = await client.audio.transcriptions.create(
        model=MODEL, file=("a.mp3", SOUND[:300]), stream=True
    )
    heard = [event async for event in stream]
    assert [event.type for event in heard][-1] == "transcript.text.done"
    assert "".join(getattr(event, "delta", "") for event in heard) == TEXT
    (event,) = await metered(1)
    assert event.quantities == {
        "requests": 1,
        "input_tokens": 4,
        "audio_input_tokens": 10,
        "output_tokens": 45,
    }


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (b"{}", "application/json", None),
        (b"--b\r\n", "multipart/form-data", None),
        (b"garbage", "multipart/form-data; boundary=b", None),
        (b"--b--\r\n", "multipart/form-data; boundary=b", "model"),
        (
            b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            "file",
        ),
        (
            b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n',
            "multipart/form-data; boundary=b",
            None,
        ),
    ],
)
async def test_a_form_that_is_wrong_is_refused_by_its_field(
    url: str, make_key: MakeKey, body: bytes, kind: str, field: str | None
) -> None:
    headers = {"authorization": f"Bearer {await make_key()}", "content-type": kind}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        answer = await http.post("/v1/audio/transcriptions", content=body)
        refused = answer.json()["error"]
        assert (answer.status_code, refused["code"], refused["param"]) == (
            400,
            "invalid_request",
            field,
        )
        long = await http.post("/v1/audio/transcriptions", content=b"x" * 200_000)
        assert (long.status_code, long.json()["error"]["code"]) == (413, "body_too_large")
