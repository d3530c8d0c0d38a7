"""A conversation: questions, and what each model answered. Plain functions.

Every model beside another has the questions in common and its own answers. A turn that a model was
not there for yet has, in its history, the answer of the first model that was.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

MOST_TURNS: Final = 100
"""Turns of a conversation; the oldest go first."""
MOST_MODELS: Final = 4
TITLE_LETTERS: Final = 60
STOPPED: Final = "stopped"
FAILED: Final = "failed"


@dataclass(frozen=True)
class ToolCall:
    """A function that a model asks for; ``arguments`` are JSON as it wrote them."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class ToolResult:
    """What a function returned to a model's call of it."""

    call_id: str
    content: str


@dataclass(frozen=True)
class Image:
    """A picture of a question: its ``url`` is an address, or the picture itself as a data URL.

    Empty where it was too large to be kept. ``alt`` says what it shows, for who can't see it.
    """

    name: str
    url: str
    alt: str = ""


@dataclass(frozen=True)
class Answer:
    """What a model answered, and what that took.

    ``finish`` is OpenAI's reason, ``stopped`` by the person, or ``failed`` with a ``problem``;
    empty while it comes. Tokens are None where nobody knows; ``estimated`` ones were counted by
    the model's tokenizer and not reported by the provider. ``cost`` is before included units.
    """

    model: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = ""
    problem: str = ""
    code: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    estimated: bool = False
    first_seconds: float | None = None
    seconds: float | None = None
    cost: Decimal | None = None
    currency: str = "USD"


@dataclass(frozen=True)
class Turn:
    """A question with its answers, by model in the order of the columns.

    With ``results`` it is not a person's question, but what the functions returned that the answer
    before asked for.
    """

    id: str
    question: str = ""
    images: tuple[Image, ...] = ()
    results: tuple[ToolResult, ...] = ()
    answers: tuple[Answer, ...] = ()

    def by(self, model: str) -> Answer | None:
        """The answer of a model; None without one."""
        return next((answer for answer in self.answers if answer.model == model), None)


def new_turn(
    question: str,
    models: Sequence[str],
    *,
    images: Sequence[Image] = (),
    results: Sequence[ToolResult] = (),
) -> Turn:
    """A turn whose answers have yet to come."""
    return Turn(
        id=uuid.uuid4().hex[:12],
        question=question,
        images=tuple(images),
        results=tuple(results),
        answers=tuple(Answer(model) for model in dict.fromkeys(models)),
    )


def messages_for(turns: Sequence[Turn], model: str, system: str = "") -> list[dict[str, Any]]:
    """The messages that ask ``model`` the last turn's question, with its history.

    Answers that failed, or that said nothing, are left out with their questions.
    """
    messages: list[dict[str, Any]] = []
    if system.strip():
        messages.append({"role": "system", "content": system.strip()})
    for place, turn in enumerate(turns):
        last = place == len(turns) - 1
        answer = None if last else _given(turn, model)
        if answer is None and not last:
            continue
        messages += _asked(turn)
        if answer is not None:
            messages.append(_answered(answer))
    return messages


def _asked(turn: Turn) -> list[dict[str, Any]]:
    if turn.results:
        return [
            {"role": "tool", "tool_call_id": result.call_id, "content": result.content}
            for result in turn.results
        ]
    if not turn.images:
        return [{"role": "user", "content": turn.question}]
    pictures = [{"type": "image_url", "image_url": {"url": image.url}} for image in turn.images]
    text = [{"type": "text", "text": turn.question}] if turn.question else []
    return [{"role": "user", "content": [*text, *pictures]}]


def _answered(answer: Answer) -> dict[str, Any]:
    if not answer.calls:
        return {"role": "assistant", "content": answer.text}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in answer.calls
    ]
    return {"role": "assistant", "content": answer.text or None, "tool_calls": calls}


def _given(turn: Turn, model: str) -> Answer | None:
    own = turn.by(model)
    for answer in (own, *turn.answers):
        if answer is not None and (answer.text or answer.calls):
            return answer
    return None


def with_answer(turns: Sequence[Turn], turn_id: str, answer: Answer) -> list[Turn]:
    """The turns with a model's answer in place of what it had answered."""
    return [
        replace(
            turn,
            answers=tuple(
                answer if before.model == answer.model else before for before in turn.answers
            ),
        )
        if turn.id == turn_id
        else turn
        for turn in turns
    ]


def with_failure(turns: Sequence[Turn], turn_id: str, problem: str, code: str) -> list[Turn]:
    """The turns with one that could not be asked of any model."""
    failed = Answer("", finish=FAILED, problem=problem, code=code)
    return [
        replace(turn, answers=tuple(replace(failed, model=answer.model) for answer in turn.answers))
        if turn.id == turn_id
        else turn
        for turn in turns
    ]


def before(turns: Sequence[Turn], turn_id: str) -> list[Turn]:
    """The turns before one; all where there is no such turn."""
    for place, turn in enumerate(turns):
        if turn.id == turn_id:
            return list(turns[:place])
    return list(turns)


def up_to(turns: Sequence[Turn], turn_id: str) -> list[Turn]:
    """The turns up to one and with it, as a branch begins."""
    for place, turn in enumerate(turns):
        if turn.id == turn_id:
            return list(turns[: place + 1])
    return list(turns)


def without(turns: Sequence[Turn], turn_id: str) -> list[Turn]:
    """The turns less one, and less the results of the functions that it asked for."""
    kept: list[Turn] = []
    is_left_out = False
    for turn in turns:
        is_left_out = turn.id == turn_id or (is_left_out and bool(turn.results))
        if not is_left_out:
            kept.append(turn)
    return kept


def open_calls(turns: Sequence[Turn]) -> tuple[ToolCall, ...]:
    """The functions that the last answer asks for, where one model answered."""
    if not turns or len(turns[-1].answers) != 1:
        return ()
    return turns[-1].answers[0].calls


def title_of(turns: Sequence[Turn]) -> str:
    """What a conversation is called, if nobody said: the beginning of its first question.

    A picture's name where nothing was asked in words.
    """
    asked = [turn.question for turn in turns] + [
        image.name for turn in turns for image in turn.images
    ]
    question = next((" ".join(text.split()) for text in asked if text), "")
    if len(question) <= TITLE_LETTERS:
        return question or "Untitled"
    return question[: TITLE_LETTERS - 1].rsplit(" ", 1)[0] + "…"
