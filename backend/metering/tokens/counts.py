"""The parts of a count, and the parts of an OpenAI-like request that are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

CountText = Callable[[str], int]
Message = Mapping[str, Any]
Tool = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of a request, by their part of it.

    ``overhead`` is what the chat's format adds: roles, separators, the primed answer. ``notes``
    say what could not be counted by a published rule; without any, the count is exact.
    """

    text: int = 0
    images: int = 0
    tools: int = 0
    overhead: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of_prompt(
        cls, bare: int, *, text: int, images: int, tools: int, notes: Iterable[str]
    ) -> Self:
        """Divide a prompt that a chat format made: of ``bare`` tokens, without its tools.

        ``text`` is what the messages say, counted alone, ``tools`` what the prompt is longer with
        them. What else is in the prompt is overhead.
        """
        return cls(
            text=min(text, bare),
            images=images,
            tools=max(0, tools),
            overhead=max(0, bare - text),
            notes=tuple(notes),
        )

    @property
    def total(self) -> int:
        """All tokens."""
        return self.text + self.images + self.tools + self.overhead

    @property
    def exact(self) -> bool:
        """Whether every part was counted by a published rule."""
        return not self.notes


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture in a message. ``place`` names it: ``messages.0.content.1``."""

    place: str
    url: str
    detail: str


def texts_of(message: Message) -> Iterator[str]:
    """Yield a message's texts: its content, its refusal, its parts of type text."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict):
                for member in ("text", "refusal"):
                    if isinstance(part.get(member), str):
                        yield part[member]
    for member in ("refusal", "reasoning_content"):
        if isinstance(message.get(member), str):
            yield message[member]


def calls_of(message: Message) -> Iterator[str]:
    """Yield the names and arguments of the tools that a message calls."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            for member in ("name", "arguments"):
                if isinstance(function.get(member), str):
                    yield function[member]


def images_of(messages: Sequence[Message]) -> Iterator[ImagePart]:
    """Yield the pictures in messages, in their order."""
    for number, message in enumerate(messages):
        content = message.get("content")
        for place, part in enumerate(content if isinstance(content, list) else []):
            if isinstance(part, dict) and part.get("type") == "image_url":
                image = part.get("image_url")
                given = image if isinstance(image, dict) else {"url": image}
                url, detail = given.get("url"), given.get("detail")
                yield ImagePart(
                    f"messages.{number}.content.{place}",
                    url if isinstance(url, str) else "",
                    detail if isinstance(detail, str) else "auto",
                )


def uncounted_of(messages: Sequence[Message]) -> Iterator[str]:
    """Yield a note for each part that no rule here covers: sounds and files."""
    for number, message in enumerate(messages):
        content = message.get("content")
        for place, part in enumerate(content if isinstance(content, list) else []):
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in ("text", "image_url", "refusal"):
                yield f"messages.{number}.content.{place}: a part of type {kind!r} is not counted"


def characters(messages: Sequence[Message], tools: Sequence[Tool]) -> int:
    """Return about how many characters a request has without pictures, as a measure of the work."""
    letters = sum(
        len(text) for message in messages for text in (*texts_of(message), *calls_of(message))
    )
    return letters + _size(tools)


def _size(value: object) -> int:
    size, left = 0, [value]
    while left:  # a schema may be nested deeper than Python's calls
        part = left.pop()
        if isinstance(part, dict):
            left += [*part, *part.values()]
        elif isinstance(part, list | tuple):
            left += part
        else:
            size += len(part) if isinstance(part, str) else 8
    return size
