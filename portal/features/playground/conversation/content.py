"""A conversation as JSON, as it is kept and exported. Plain functions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from portal.features.playground.conversation.transcript import (
    MOST_MODELS,
    MOST_TURNS,
    STOPPED,
    Answer,
    Image,
    ToolCall,
    ToolResult,
    Turn,
)


def to_content(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The turns as JSON."""
    return [
        {
            "id": turn.id,
            "question": turn.question,
            "images": [
                {"name": image.name, "url": image.url, "alt": image.alt} for image in turn.images
            ],
            "results": [
                {"call_id": result.call_id, "content": result.content} for result in turn.results
            ],
            "answers": [_answer_content(answer) for answer in turn.answers],
        }
        for turn in turns
    ]


def _answer_content(answer: Answer) -> dict[str, Any]:
    return {
        "model": answer.model,
        "text": answer.text,
        "calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.calls
        ],
        "finish": answer.finish,
        "problem": answer.problem,
        "code": answer.code,
        "tokens_in": answer.tokens_in,
        "tokens_out": answer.tokens_out,
        "estimated": answer.estimated,
        "first_seconds": answer.first_seconds,
        "seconds": answer.seconds,
        "cost": None if answer.cost is None else str(answer.cost),
        "currency": answer.currency,
    }


def from_content(content: object) -> list[Turn]:
    """Turns from JSON, which anybody may have written; what can't be read is left out."""
    turns = content if isinstance(content, list) else []
    return [_turn(turn) for turn in turns[-MOST_TURNS:] if isinstance(turn, dict)]


def _turn(content: Mapping[str, Any]) -> Turn:
    return Turn(
        id=_text(content.get("id")) or uuid.uuid4().hex[:12],
        question=_text(content.get("question")),
        images=tuple(
            Image(_text(image.get("name")), _text(image.get("url")), _text(image.get("alt")))
            for image in _members(content.get("images"))
        ),
        results=tuple(
            ToolResult(_text(result.get("call_id")), _text(result.get("content")))
            for result in _members(content.get("results"))
        ),
        answers=tuple(_answer(answer) for answer in _members(content.get("answers"))[:MOST_MODELS]),
    )


def _answer(content: Mapping[str, Any]) -> Answer:
    return Answer(
        model=_text(content.get("model")),
        text=_text(content.get("text")),
        calls=tuple(
            ToolCall(_text(call.get("id")), _text(call.get("name")), _text(call.get("arguments")))
            for call in _members(content.get("calls"))
        ),
        finish=_text(content.get("finish")) or STOPPED,
        problem=_text(content.get("problem")),
        code=_text(content.get("code")),
        tokens_in=_whole(content.get("tokens_in")),
        tokens_out=_whole(content.get("tokens_out")),
        estimated=content.get("estimated") is True,
        first_seconds=_number(content.get("first_seconds")),
        seconds=_number(content.get("seconds")),
        cost=_amount(content.get("cost")),
        currency=_text(content.get("currency")) or "USD",
    )


def _members(value: object) -> list[Mapping[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _amount(value: object) -> Decimal | None:
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() else None
