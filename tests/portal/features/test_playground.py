"""The playground's plain parts: the conversation, the parameters, what stands on the page."""

from __future__ import annotations

import asyncio
import json
import math
from decimal import Decimal
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backend_client.types.models import MeterPrice, ModelInfo
from portal.features.playground.calls import routes as live
from portal.features.playground.calls import streams as streams_module
from portal.features.playground.calls.advice import advice
from portal.features.playground.calls.checks import Wrong, schema_in, stops_in, tools_in
from portal.features.playground.calls.cost import Draft, draft_line, quantities
from portal.features.playground.calls.model_call import as_markdown, request_body
from portal.features.playground.calls.parameters import (
    Parameters,
    changed,
    from_content,
    problems,
    to_body,
    to_content,
    within,
)
from portal.features.playground.calls.streams import PIECE_END, Arriving, Streams
from portal.features.playground.conversation.content import from_content as turns_from_content
from portal.features.playground.conversation.content import to_content as turns_to_content
from portal.features.playground.conversation.transcript import (
    Answer,
    Image,
    ToolCall,
    ToolResult,
    Turn,
    before,
    messages_for,
    new_turn,
    open_calls,
    title_of,
    up_to,
    with_answer,
    with_failure,
    without,
)
from portal.features.playground.rows import ImageRow, totals, turn_rows

pytestmark = pytest.mark.fast

WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {}}}


def turn(id_: str, question: str, *answers: Answer) -> Turn:
    return Turn(id_, question, answers=answers)


HELLO = turn("1", "Hello", Answer("a", "Hi from a"), Answer("b", "Hi from b"))
AGAIN = turn("2", "Again?", Answer("a", "Yes", finish="stop"), Answer("b"))


def model(id_: str = "a", **prices: str) -> ModelInfo:
    return ModelInfo(
        id=id_,
        name=id_.upper(),
        context_window=2048,
        max_output_tokens=512,
        tokenizer="upstream",
        available=True,
        prices=[
            MeterPrice(meter=meter, price=Decimal(price), unit_size=1000, currency="USD")
            for meter, price in prices.items()
        ],
    )


@pytest.mark.parametrize(
    ("chosen", "taken"),
    [(0.5, 0.5), ("1.5", 1.5), (-1, 0.0), (9, 2.0), ("x", 0.7), (None, 0.7), (math.nan, 0.7)],
)
def test_a_number_from_a_browser_is_kept_within_bounds(chosen: object, taken: float) -> None:
    assert within(chosen, 0.0, 2.0, otherwise=0.7) == taken


def test_reported_usage_becomes_disjoint_meters() -> None:
    reported = {
        "prompt_tokens": 30,
        "completion_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert quantities(reported) == {
        "requests": 1,
        "input_tokens": 10,
        "cached_input_tokens": 20,
        "output_tokens": 7,
        "reasoning_tokens": 5,
    }
    assert quantities({"prompt_tokens": 3, "prompt_tokens_details": None})["input_tokens"] == 3


def test_each_model_has_its_own_answers_in_its_history() -> None:
    last = turn("3", "And now?", Answer("b"))
    said = [message["content"] for message in messages_for([HELLO, AGAIN, last], "b", "Be brief.")]
    # It did not answer the second, which it has as the other model answered it
    assert said == ["Be brief.", "Hello", "Hi from b", "Again?", "Yes", "And now?"]


def test_a_question_that_nobody_answered_is_in_no_history() -> None:
    failed = turn("f", "Lost", Answer("a", finish="failed", problem="No."))
    assert [m["content"] for m in messages_for([failed, turn("n", "New", Answer("a"))], "a")] == [
        "New"
    ]


def test_functions_are_called_and_their_results_go_back() -> None:
    call = ToolCall("call_1", "weather", '{"city":"Oslo"}')
    asked = turn("1", "Weather?", Answer("a", calls=(call,), finish="tool_calls"))
    assert open_calls([asked]) == (call,)
    result = new_turn("", ["a"], results=[ToolResult("call_1", "21 degrees")])
    _, assistant, tool = messages_for([asked, result], "a")
    assert assistant["tool_calls"][0]["function"] == {
        "name": "weather",
        "arguments": '{"city":"Oslo"}',
    }
    assert tool == {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"}
    rows = turn_rows([asked, result], {}, {})
    assert rows[1].results[0].name == "weather"
    assert rows[0].answers[0].calls[0].arguments == '{\n  "city": "Oslo"\n}'
    # Without the question, nothing is left for the results to answer
    assert without([asked, result], "1") == []


def test_pictures_go_with_their_question() -> None:
    seen = new_turn("What is it?", ["a"], images=[Image("cat.png", "https://example.com/cat.png")])
    (message,) = messages_for([seen], "a")
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]
    alone = new_turn("", ["a"], images=[Image("cat.png", "https://x.example", "A cat")])
    (message,) = messages_for([alone], "a")
    assert [part["type"] for part in message["content"]] == ["image_url"]
    assert title_of([alone]) == "cat.png"
    assert "*Picture: cat.png, A cat*" in as_markdown([alone], "Seen")
    # What others have is not loaded by a page of this portal's
    (row,) = turn_rows([alone], {}, {})
    assert row.images == [ImageRow("cat.png", "", "A cat")]


def test_a_failure_of_a_question_with_pictures_says_that_they_may_be_why() -> None:
    failed = Answer("a", finish="failed", problem="No.", code="upstream_refused")
    for images, helps in (((), "Look at the parameters"), ((Image("i", ""),), "takes pictures")):
        (row,) = turn_rows([Turn("1", "What?", images=images, answers=(failed,))], {}, {})
        assert helps in row.answers[0].advice
    asked = with_failure([turn("1", "What?", Answer("a"), Answer("b"))], "1", "Gone.", "no")
    assert [(answer.model, answer.problem) for answer in asked[0].answers] == [
        ("a", "Gone."),
        ("b", "Gone."),
    ]


def test_a_conversation_is_edited_branched_and_shortened() -> None:
    turns = [HELLO, AGAIN]
    assert before(turns, "2") == [HELLO]
    assert up_to(turns, "1") == [HELLO]
    assert without(turns, "1") == [AGAIN]
    assert without(turns, "nowhere") == turns
    replaced = with_answer(turns, "2", Answer("b", "Indeed", finish="stop"))
    assert replaced[1].by("b") == Answer("b", "Indeed", finish="stop")
    assert replaced[0] is HELLO
    assert title_of(turns) == "Hello"
    assert title_of([turn("1", "word " * 40)]).endswith(" word…")


def test_a_conversation_is_the_same_after_it_was_kept() -> None:
    whole = Answer(
        "a",
        "Hi",
        calls=(ToolCall("c", "f", "{}"),),
        finish="stop",
        tokens_in=3,
        tokens_out=4,
        first_seconds=0.1,
        seconds=0.5,
        cost=Decimal("0.00012"),
        currency="EUR",
    )
    turns = [new_turn("Hello", ["a"], images=[Image("i", "https://example.com/i", "An i")])]
    turns = with_answer(turns, turns[0].id, whole)
    assert turns_from_content(json.loads(json.dumps(turns_to_content(turns)))) == turns


@pytest.mark.parametrize(
    "content",
    [None, "turns", [1], [{}], [{"answers": [{"cost": "much", "tokens_in": True}], "images": 3}]],
)
def test_what_is_no_conversation_is_read_as_far_as_it_can_be(content: object) -> None:
    turns_from_content(content)


def test_what_is_the_models_own_is_not_sent() -> None:
    assert to_body(Parameters()) == {"temperature": 0.7, "max_tokens": 256}
    written = Parameters(
        top_p=0.5,
        frequency_penalty=0.25,
        seed=" 7 ",
        stop="END\n\\n",
        tools=json.dumps([WEATHER]),
        format="json_schema",
        schema='{"type": "object"}',
    )
    assert to_body(written) == {
        "temperature": 0.7,
        "max_tokens": 256,
        "top_p": 0.5,
        "frequency_penalty": 0.25,
        "seed": 7,
        "stop": ["END", "\n"],
        "tools": [{"type": "function", "function": WEATHER}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
        },
    }


def test_parameters_from_elsewhere_are_kept_within_bounds() -> None:
    assert from_content({"top_p": 9, "max_tokens": 10_000, "none": 1}, longest=512) == Parameters(
        top_p=1, max_tokens=512
    )
    assert from_content("x", longest=1) == Parameters()
    kept = Parameters(system="Be kind.", seed="3")
    assert to_content(kept) == {"system": "Be kind.", "seed": "3"}
    assert from_content(to_content(kept), longest=512) == kept
    assert changed(kept, "format", "xml", longest=1) == kept
    assert changed(kept, "seed", ["3"], longest=1) == kept


@pytest.mark.parametrize(
    ("tools", "why"),
    [
        ("[{", "line 1, column 3"),
        ("[1]", "Tool 1 is no function"),
        ('{"type": "function"}', "has no function"),
        ('{"name": "two words"}', "needs a name"),
        ('{"name": "f", "description": 3}', "is no text"),
        ('{"name": "f", "parameters": {"type": "objekt"}}', '"type": "object"'),
        ('{"name": "f", "parameters": {"properties": {"a": {"type": 3}}}}', "['properties']['a']"),
        ('[{"name": "f"}, {"name": "f"}]', "Two functions are called f"),
    ],
)
def test_functions_are_checked_before_they_are_sent(tools: str, why: str) -> None:
    with pytest.raises(Wrong) as wrong:
        tools_in(tools)
    assert why in str(wrong.value)
    assert list(problems(Parameters(tools=tools))) == ["tools"]


@pytest.mark.parametrize(
    "schema", ["", "[]", '{"type": "string"}', '{"required": "a"}', "[" * 9999]
)
def test_a_schema_is_checked_before_it_is_sent(schema: str) -> None:
    with pytest.raises(Wrong):
        schema_in(schema)
    wrong = problems(
        Parameters(schema=schema, format="json_schema", seed="x", stop="\n".join("abcde"))
    )
    assert list(wrong) == ["seed", "stop", "schema"]
    assert problems(Parameters(schema=schema)) == {}


def test_stop_sequences_are_a_line_each() -> None:
    assert stops_in("\nEND\n  \n") == ["END", "  "]


def test_a_draft_says_what_it_costs_before_it_is_asked() -> None:
    dear = model("a", input_tokens="2", output_tokens="10")
    cheap = model("b", input_tokens="1", output_tokens="1")
    assert draft_line([], 100) == ""
    assert (
        draft_line([Draft(dear, 50, exact=True)], 100)
        == "50 input tokens · $0.10 to ask · $1.10 at most with the answer"
    )
    both = draft_line([Draft(dear, 50, exact=True), Draft(cheap, 60, exact=False)], 10_000)
    assert both == "about 50–60 input tokens · $0.16 to ask · $5.79 at most with the answer"
    assert draft_line([Draft(model("c"), 5, exact=True)], 9) == "5 input tokens"


def test_an_answer_shows_what_it_took_and_what_helps() -> None:
    asked = turn(
        "1",
        "Hello",
        Answer("a", "Hi", finish="stopped", tokens_in=5, tokens_out=20, estimated=True,
               first_seconds=0.32, seconds=2.32, cost=Decimal("0.0012")),
        Answer("b", finish="failed", problem="There is no credit.", code="insufficient_credit"),
        Answer("c"),
    )  # fmt: skip
    (row,) = turn_rows([asked], {"a": model(output_tokens="5")}, {("1", "c"): "ticket"})
    first, failed, coming = row.answers
    assert (first.name, first.state, first.price) == ("A", "Stopped", "0.005")
    assert (first.tokens_in, first.tokens_out) == ("≈ 5", "≈ 20")
    assert (first.first, first.took, first.speed) == ("320 ms", "2.3 s", "10 tok/s")
    assert failed.problem == "There is no credit."
    assert failed.advice_link == "/credit"
    assert (coming.ticket, coming.state) == ("ticket", "")
    assert (totals([asked]).tokens, totals([asked]).cost) == ("25", "$0.0012")
    assert advice("anything else").text


def test_a_request_is_made_of_the_conversation_and_the_parameters() -> None:
    body = request_body([HELLO, AGAIN], model(), Parameters(system="", max_tokens=9999))
    assert [message["content"] for message in body["messages"]] == ["Hello", "Hi from a", "Again?"]
    assert body["max_tokens"] == 512
    # Before anybody has asked anything
    assert request_body([], model(), Parameters())["messages"][-1]["role"] == "user"


def test_a_conversation_is_exported_as_markdown() -> None:
    failed = turn("3", "More", Answer("a", finish="failed", problem="No."))
    assert as_markdown([HELLO, failed], "Greetings") == (
        "# Greetings\n\n## You\n\nHello\n\n## a\n\nHi from a\n\n## b\n\nHi from b\n\n"
        "## You\n\nMore\n\n## a\n\n*No.*\n"
    )


def chunk(text: str = "", **delta: object) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text, **delta}}]}


async def test_an_answer_is_read_while_it_comes_and_by_its_owner_alone() -> None:
    streams = Streams()
    ticket, arriving = streams.open("ada")
    assert streams.find(ticket, "bob") is None
    assert streams.find(ticket, "ada") is arriving

    async def all_pieces() -> list[str]:
        return "".join([flush async for flush in arriving.flushes()]).split(PIECE_END)[:-1]

    early = asyncio.create_task(all_pieces())
    for word in ("So ", "be ", "it"):
        arriving.take(chunk(word))
        await asyncio.sleep(0)
    late = asyncio.create_task(all_pieces())
    arriving.take({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"x": 1}})
    streams.close(ticket)
    assert await early == await late == ["So ", "be ", "it"]
    assert (arriving.text, arriving.finish, arriving.usage) == ("So be it", "stop", {"x": 1})
    assert arriving.first_seconds is not None
    assert streams.find(ticket, "ada") is None


def test_an_answer_that_has_ended_and_anothers_are_nothing_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def find(token: str, *, address: str | None) -> SimpleNamespace:
        tenant = SimpleNamespace(id="t")
        return SimpleNamespace(me=SimpleNamespace(user_id=token, tenant=tenant, viewing_until=None))

    monkeypatch.setattr(live, "callers", SimpleNamespace(find=find))
    ticket, arriving = streams_module.streams.open("ada/t")
    arriving.take(chunk("So"))
    arriving.end()
    browser = TestClient(Starlette(routes=live.ROUTES))

    def status(name: str) -> tuple[int, str]:
        browser.cookies.set("farebox_session", name)
        answer = browser.get(f"/downloads/answers/{ticket}")
        return answer.status_code, answer.text

    assert status("ada") == (200, f"So{PIECE_END}")
    assert status("bob") == (204, "")
    streams_module.streams.close(ticket)
    assert status("ada") == (204, "")


def test_a_functions_call_comes_in_parts() -> None:
    arriving = Arriving("ada")
    for part in (
        {"index": 0, "id": "c", "function": {"name": "weather", "arguments": '{"ci'}},
        {"index": 0, "function": {"arguments": 'ty": "Oslo"}'}},
    ):
        arriving.take(chunk(tool_calls=[part]))
    assert list(arriving.calls.values()) == [ToolCall("c", "weather", '{"city": "Oslo"}')]


async def test_a_stream_takes_little_more_than_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 tokens in a flush each, which is the most that there can be."""
    monkeypatch.setattr(streams_module, "FLUSH_SECONDS", 0)
    arriving, lines, came = Arriving("ada"), list[str](), asyncio.Event()

    async def read() -> None:
        async for line in arriving.flushes():
            lines.append(line)
            came.set()

    reading = asyncio.create_task(read())
    for _ in range(200):
        arriving.take(chunk(" the"))
        await came.wait()
        came.clear()
    arriving.end()
    await reading
    assert len(lines) == 200
    assert sum(len(line.encode()) for line in lines) <= 1.5 * len(arriving.text.encode())
