"""Asking a model: the call that is made, and the answer with what it took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend_client import AsyncFareboxClient, ClientError
from backend_client.types.models import ModelInfo
from backend_client.types.tokens import MOST_SHOWN, TokenCountRequest
from portal.features.playground.calls.cost import Draft, currency, estimate, quantities
from portal.features.playground.calls.parameters import Parameters, to_body
from portal.features.playground.calls.streams import Arriving
from portal.features.playground.conversation.transcript import (
    FAILED,
    STOPPED,
    Answer,
    Image,
    Turn,
    messages_for,
    new_turn,
)
from portal.kit.formatting import count

EXAMPLE = "What is a token?"
"""What samples ask before anybody has asked anything."""


@dataclass(frozen=True)
class Asked:
    """A call of a model, with OpenAI's request."""

    model: ModelInfo
    body: dict[str, Any]


def request_body(turns: Sequence[Turn], model: ModelInfo, parameters: Parameters) -> dict[str, Any]:
    """What asks ``model`` the last turn's question.

    Raises:
        Wrong: a parameter can't be sent.
    """
    turns = turns or [new_turn(EXAMPLE, [model.id])]
    return {
        "model": model.id,
        "messages": messages_for(turns, model.id, parameters.system),
        **to_body(parameters),
        "max_tokens": min(parameters.max_tokens, model.max_output_tokens),
    }


async def answer_of(
    client: AsyncFareboxClient, asked: Asked, arriving: Arriving, *, stopped: bool
) -> Answer:
    """The answer that came, with its tokens and cost.

    What no provider reported, since it was stopped or broke off, is counted by the model's
    tokenizer, as it is for the bill.
    """
    units, estimated = quantities(arriving.usage) if arriving.usage else None, False
    has_begun = bool(arriving.pieces or arriving.calls)
    if units is None and (has_begun or stopped):
        units, estimated = await _counted(client, asked, arriving), True
    if arriving.problem:
        finish = FAILED
    elif stopped:
        finish = STOPPED
    else:
        finish = arriving.finish or "stop"
    return Answer(
        model=asked.model.id,
        text=arriving.text,
        calls=tuple(arriving.calls.values()),
        finish=finish,
        problem=arriving.problem,
        code=arriving.code,
        tokens_in=_sum(units, "input_tokens", "cached_input_tokens"),
        tokens_out=_sum(units, "output_tokens", "reasoning_tokens"),
        estimated=estimated,
        first_seconds=arriving.first_seconds,
        seconds=arriving.seconds,
        cost=None if units is None else estimate(asked.model, units),
        currency=currency(asked.model),
    )


def _sum(units: dict[str, int] | None, *meters: str) -> int | None:
    return None if units is None else sum(units.get(meter, 0) for meter in meters)


async def _counted(
    client: AsyncFareboxClient, asked: Asked, arriving: Arriving
) -> dict[str, int] | None:
    calls = [call.name + call.arguments for call in arriving.calls.values()]
    text = arriving.text + "".join(calls)
    try:
        prompt = await count_prompt(client, asked.body)
        answer = TokenCountRequest(model=asked.model.id, text=text)
        tokens = (await client.tokens.count(answer)).tokens if text else 0
    except ClientError:
        # What is not known is not shown; the bill has it
        return None
    return {"requests": 1, "input_tokens": prompt.tokens, "output_tokens": tokens}


@dataclass(frozen=True)
class PromptCount:
    """The tokens of a request before its answer; ``exact`` if each part has a published rule."""

    tokens: int
    exact: bool


async def count_prompt(client: AsyncFareboxClient, body: dict[str, Any]) -> PromptCount:
    """Count a request's messages and functions by the model's own tokenizer."""
    counted = await client.tokens.count(
        TokenCountRequest(model=body["model"], messages=body["messages"], tools=body.get("tools"))
    )
    return PromptCount(counted.tokens, counted.exact)


@dataclass(frozen=True)
class Pieces:
    """A text by its tokens, and what there is to say of it."""

    pieces: list[str]
    note: str


async def pieces_of(client: AsyncFareboxClient, model: str, text: str) -> Pieces:
    """Divide a text into the model's tokens; a very long one, its beginning."""
    shown = text[:MOST_SHOWN]
    if not shown:
        return Pieces([], "There is no text.")
    counted = await client.tokens.count(TokenCountRequest(model=model, text=shown, pieces=True))
    note = f"{count(counted.tokens)} tokens, {count(len(shown))} characters"
    if len(shown) < len(text):
        note = f"The beginning: {note}"
    if counted.pieces is None:
        return Pieces([shown], f"{note}. This model’s tokenizer does not show its tokens.")
    is_own = counted.tokenizer == "upstream"
    by = "the provider’s own tokenizer" if is_own else counted.tokenizer
    return Pieces(counted.pieces, f"{note}, by {by}")


async def draft_of(client: AsyncFareboxClient, asked: Asked) -> Draft:
    """Count a question that is being written, with all that goes with it."""
    counted = await count_prompt(client, asked.body)
    return Draft(asked.model, counted.tokens, counted.exact)


def _said_of(image: Image) -> str:
    return f"{image.name}, {image.alt}" if image.alt else image.name


def as_markdown(turns: Sequence[Turn], title: str) -> str:
    """The conversation as a Markdown document."""
    parts = [f"# {title}"]
    for turn in turns:
        if turn.results:
            results = "\n\n".join(f"```\n{result.content}\n```" for result in turn.results)
            parts.append(f"## Function results\n\n{results}")
        else:
            pictures = "".join(f"\n\n*Picture: {_said_of(image)}*" for image in turn.images)
            parts.append(f"## You\n\n{turn.question}{pictures}")
        for answer in turn.answers:
            calls = "".join(
                f"\n\n```json\n{json.dumps({'call': call.name, 'arguments': call.arguments})}\n```"
                for call in answer.calls
            )
            text = answer.text or (f"*{answer.problem}*" if answer.problem else "")
            parts.append(f"## {answer.model}\n\n{text}{calls}".rstrip())
    return "\n\n".join(parts) + "\n"
