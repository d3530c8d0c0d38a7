"""Models, turns and answers as the page shows them. Plain functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from backend_client.types.models import ModelInfo
from portal.features.playground.calls.advice import advice
from portal.features.playground.conversation.transcript import FAILED, STOPPED, Answer, Turn
from portal.features.playground.pictures.pictures import is_held
from portal.kit.formatting import count, fine_money, meter_name, unit_price


@dataclass(frozen=True)
class ModelChoice:
    """A model to pick, with what it costs here; ``longest`` is its longest answer, in tokens."""

    id: str
    name: str
    about: str
    longest: int


@dataclass(frozen=True)
class Column:
    """A model that is asked, at its ``place`` among those beside it."""

    place: int
    id: str
    about: str


@dataclass(frozen=True)
class CallRow:
    """A function that an answer asks for."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class AnswerRow:
    """An answer. ``ticket`` is where the browser reads it while it comes; empty once it is whole.

    ``state`` says in a word or two how it ended, if not as it should.
    """

    key: str
    model: str
    name: str
    text: str
    ticket: str
    price: str
    calls: list[CallRow]
    state: str
    tokens_in: str
    tokens_out: str
    first: str
    took: str
    speed: str
    cost: str
    problem: str
    advice: str
    advice_page: str
    advice_link: str


@dataclass(frozen=True)
class ImageRow:
    """A question's picture; ``src`` is empty where it is not held here, and its name is shown."""

    name: str
    src: str
    alt: str


@dataclass(frozen=True)
class ResultRow:
    """What a function returned."""

    name: str
    content: str


@dataclass(frozen=True)
class TurnRow:
    """A question and its answers."""

    id: str
    question: str
    images: list[ImageRow]
    results: list[ResultRow]
    answers: list[AnswerRow]
    last: bool


@dataclass(frozen=True)
class FieldProblems:
    """What can't be sent, by the parameter's field."""

    seed: str = ""
    stop: str = ""
    tools: str = ""
    schema: str = ""


@dataclass(frozen=True)
class Totals:
    """What the conversation took so far."""

    tokens: str = "0"
    cost: str = ""
    answers: int = field(default=0)


def turn_rows(
    turns: Sequence[Turn], models: Mapping[str, ModelInfo], tickets: Mapping[tuple[str, str], str]
) -> list[TurnRow]:
    """The turns as the page shows them; ``tickets`` are of answers that come now."""
    rows = []
    names: dict[str, str] = {}
    for place, turn in enumerate(turns):
        results = [ResultRow(names.get(r.call_id, "function"), r.content) for r in turn.results]
        rows.append(
            TurnRow(
                id=turn.id,
                question=turn.question,
                images=[
                    ImageRow(image.name, image.url if is_held(image.url) else "", image.alt)
                    for image in turn.images
                ],
                results=results,
                answers=[
                    _answer_row(turn, answer, models, tickets.get((turn.id, answer.model), ""))
                    for answer in turn.answers
                ],
                last=place == len(turns) - 1,
            )
        )
        names |= {call.id: call.name for answer in turn.answers for call in answer.calls}
    return rows


def _answer_row(
    turn: Turn, answer: Answer, models: Mapping[str, ModelInfo], ticket: str
) -> AnswerRow:
    model = models.get(answer.model)
    pictured = bool(turn.images)
    helps = advice(answer.code, pictured=pictured) if answer.finish == FAILED else None
    return AnswerRow(
        key=f"{turn.id}-{answer.model}",
        model=answer.model,
        name=model.name if model else answer.model,
        text=answer.text,
        ticket=ticket,
        price=_output_price(model),
        calls=[CallRow(call.id, call.name, pretty(call.arguments)) for call in answer.calls],
        state=_STATES.get(answer.finish, ""),
        tokens_in=_tokens(answer.tokens_in, estimated=answer.estimated),
        tokens_out=_tokens(answer.tokens_out, estimated=answer.estimated),
        first="" if answer.first_seconds is None else seconds(answer.first_seconds),
        took="" if answer.seconds is None else seconds(answer.seconds),
        speed=_speed(answer),
        cost="" if answer.cost is None else fine_money(answer.cost, answer.currency),
        problem=answer.problem if answer.finish == FAILED else "",
        advice=helps.text if helps else "",
        advice_page=helps.page if helps else "",
        advice_link=helps.link if helps else "",
    )


_STATES = {
    STOPPED: "Stopped",
    FAILED: "Failed",
    "length": "Cut at max tokens",
    "content_filter": "Cut by the provider’s filter",
}


def _tokens(number: int | None, *, estimated: bool) -> str:
    if number is None:
        return ""
    return f"≈ {count(number)}" if estimated else count(number)


def _speed(answer: Answer) -> str:
    """Tokens a second after the first came; nothing for a few, of which it says nothing."""
    if answer.tokens_out is None or answer.seconds is None or answer.first_seconds is None:
        return ""
    after = answer.seconds - answer.first_seconds
    if answer.tokens_out < 8 or after <= 0:
        return ""
    speed = answer.tokens_out / after
    return f"{speed:.0f} tok/s" if speed >= 10 else f"{speed:.1f} tok/s"


def _output_price(model: ModelInfo | None) -> str:
    """What a token of output costs, for the browser to count along; empty without a price."""
    prices = model.prices if model else []
    price = next((price for price in prices if price.meter == "output_tokens"), None)
    return "" if price is None else f"{price.price / price.unit_size:f}"


def seconds(length: float) -> str:
    """A time as a person reads it: ``320 ms``, ``1.4 s``."""
    return f"{length * 1000:.0f} ms" if length < 1 else f"{length:.1f} s"


def pretty(arguments: str) -> str:
    """JSON on lines of its own; as it is, where it is none."""
    try:
        return json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
    except ValueError:
        return arguments


def totals(turns: Sequence[Turn]) -> Totals:
    """What all answers took together."""
    answers = [answer for turn in turns for answer in turn.answers if answer.finish]
    tokens = sum((answer.tokens_in or 0) + (answer.tokens_out or 0) for answer in answers)
    costs = [answer.cost for answer in answers if answer.cost is not None]
    currency = next((answer.currency for answer in answers if answer.cost is not None), "USD")
    cost = fine_money(sum(costs, Decimal(0)), currency) if costs else ""
    return Totals(count(tokens), cost, len(answers))


def about(model: ModelInfo) -> str:
    """What a model costs on the caller's plan, in a line."""
    if model.prices and not any(price.price for price in model.prices):
        return "Free on your plan."
    shown = {price.meter: price for price in model.prices if price.price}
    for meter, wider in (
        ("cached_input_tokens", "input_tokens"),
        ("reasoning_tokens", "output_tokens"),
    ):
        # Said only where it differs
        if (own := shown.get(meter)) and (wide := shown.get(wider)) and own.price == wide.price:
            del shown[meter]
    prices = [
        f"{meter_name(price.meter)} {unit_price(price.price, price.unit_size, price.currency)}"
        for price in shown.values()
    ]
    return " · ".join(prices) if prices else "Your plan has no price for this model."
