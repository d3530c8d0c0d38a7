"""Labels by which the gateway tells calls of other prices apart, from the answer to the bill."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from backend.catalog.yaml_reading import load_catalog
from backend.gateway.price_labels import possible_labels, price_labels, tier_of
from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.messages import MESSAGES
from backend.gateway.protocols.parts.base import Forwarding, Protocol
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.protocols.translation.chat_over_messages import CHAT_OVER_MESSAGES
from backend.gateway.protocols.translation.messages_over_chat import MESSAGES_OVER_CHAT
from backend.gateway.sse import Event
from backend.pricing.credit.call_cost import CallValues
from backend.pricing.rating.rated_period import MeteredQuantity, rate
from tests.docs.pages import DOCS
from tests.gateway import chat_answers, message_answers, response_answers
from tests.pricing.strategies import PERIOD, whole

pytestmark = pytest.mark.fast

COOKBOOK = load_catalog(DOCS / "cookbook.yaml")
PLANS = {plan.id: plan for plan in COOKBOOK.plans}
MODELS = {model.id: model for model in COOKBOOK.models}
HAIKU = MODELS["claude-haiku-5-5"]
ASKED = json.dumps(
    {"model": "m", "max_tokens": 5, "input": "hi", "messages": [{"role": "user", "content": "hi"}]}
).encode()


@pytest.mark.parametrize(
    ("used", "asked", "tier"),
    [
        (None, None, None),
        ("default", "priority", None),  # it was asked for, and not given
        ("priority", "auto", "priority"),
        ("priority", None, "priority"),
        (None, "flex", "flex"),
        (None, "auto", None),
        ("standard", "auto", None),
        (None, "standard_only", None),
        ({"odd": 1}, "flex", "flex"),
        ("x" * 999, "flex", "flex"),
    ],
)
def test_the_tier_that_was_used_goes_before_the_one_that_was_asked(
    used: object, asked: object, tier: str | None
) -> None:
    assert tier_of(used=used, asked=asked) == tier


@pytest.mark.parametrize(("tokens", "labels"), [(100_000, {}), (100_001, {"context": "long"})])
def test_a_prompt_is_long_beyond_the_catalogs_threshold(
    tokens: int, labels: dict[str, str]
) -> None:
    assert price_labels(HAIKU, used_tier=None, asked_tier=None, prompt_tokens=tokens) == labels
    unlimited = MODELS["gpt-5.5"]
    assert price_labels(unlimited, used_tier=None, asked_tier=None, prompt_tokens=tokens) == {}


def test_all_that_a_call_may_come_to_is_held() -> None:
    short = possible_labels(HAIKU, asked_tiers=[None, "flex"], prompt_tokens=9)
    assert short == [{}, {"service_tier": "flex"}]
    long = possible_labels(HAIKU, asked_tiers=["auto"], prompt_tokens=200_000)
    assert {"service_tier": "priority", "context": "long"} in long
    assert {} in long  # the prompt may turn out to be shorter
    values = CallValues(PLANS["openai-gpt-5-5"])
    most = {"input_tokens": Decimal(1_000_000)}
    for tiers, held in ((["default"], 5), (["flex"], 5), (["priority"], 12.5), (["auto"], 12.5)):
        possible = possible_labels(MODELS["gpt-5.5"], asked_tiers=tiers, prompt_tokens=9)
        assert values.greatest_of("gpt-5.5", most, PERIOD.start, possible) == Decimal(str(held))


@pytest.mark.parametrize(
    ("plan", "tier", "tokens", "bill"),
    [
        ("openai-gpt-5-5", "default", 1_000_000, "5.00"),
        ("openai-gpt-5-5", "flex", 1_000_000, "2.50"),
        ("openai-gpt-5-5", "priority", 1_000_000, "12.50"),
        ("anthropic-haiku", None, 100_000, "0.01"),
        ("anthropic-haiku", None, 200_000, "0.10"),
    ],
)
def test_a_call_is_rated_by_its_labels(plan: str, tier: object, tokens: int, bill: str) -> None:
    model = MODELS["gpt-5.5"] if plan.startswith("openai") else HAIKU
    labels = price_labels(model, used_tier=tier, asked_tier=None, prompt_tokens=tokens)
    by_labels = tuple(sorted(labels.items()))
    used = MeteredQuantity(model.id, "input_tokens", Decimal(tokens), None, by_labels)
    rated = rate([whole(PLANS[plan], [used])], PERIOD, "USD")
    assert (str(rated.total), rated.unpriced) == (bill, ())


WHOLE: list[tuple[Protocol, Any]] = [
    (CHAT, json.loads(chat_answers.whole(usage=chat_answers.USAGE)) | {"service_tier": "flex"}),
    (RESPONSES, response_answers.response(service_tier="flex")),
    (MESSAGES, message_answers.message(usage={"service_tier": "flex", "output_tokens": 1})),
]


@pytest.mark.parametrize(("protocol", "document"), WHOLE, ids=lambda value: "")
def test_each_protocols_answer_names_the_tier(protocol: Protocol, document: Any) -> None:
    asked = protocol.read(ASKED)
    content = json.dumps(document).encode()
    assert protocol.answer(asked, content).tier == "flex"
    reader = protocol.reader(asked)  # also where it comes in one piece to a stream
    reader.feed(Event(content))
    assert (reader.tier, reader.finished) == ("flex", True)


@pytest.mark.parametrize(
    ("protocol", "event"),
    [
        (CHAT, {"choices": [], "service_tier": "flex"}),
        (RESPONSES, {"type": "response.created", "response": {"service_tier": "flex"}}),
        (MESSAGES, {"type": "message_start", "message": {"usage": {"service_tier": "flex"}}}),
        (MESSAGES, {"type": "message_delta", "delta": {}, "usage": {"service_tier": "flex"}}),
    ],
)
def test_each_protocols_stream_names_the_tier(protocol: Protocol, event: Any) -> None:
    reader = protocol.reader(protocol.read(ASKED))
    reader.feed(Event(json.dumps(event).encode()))
    reader.feed(Event(json.dumps({**event, "service_tier": None}).encode()))
    assert reader.tier == "flex"


@pytest.mark.parametrize(
    ("protocol", "tier", "sent"),
    [
        (MESSAGES_OVER_CHAT, "standard_only", "default"),
        (MESSAGES_OVER_CHAT, "auto", "auto"),
        (MESSAGES_OVER_CHAT, "odd", None),
        (CHAT_OVER_MESSAGES, "default", "standard_only"),
        (CHAT_OVER_MESSAGES, "priority", "auto"),
        (CHAT_OVER_MESSAGES, "flex", None),
        (CHAT_OVER_MESSAGES, ["odd"], None),
    ],
)
def test_a_tier_is_translated(protocol: Protocol, tier: object, sent: str | None) -> None:
    body = json.dumps({**json.loads(ASKED), "service_tier": tier}).encode()
    document = protocol.forward(protocol.read(body), Forwarding("theirs"))
    assert document.get("service_tier") == sent
