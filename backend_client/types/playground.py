"""What people keep of the playground: conversations, and prompts in versions."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from backend_client.types.common import Answer, Instant, Wire

MOST_CONTENT_BYTES: Final = 512 * 1024
MOST_LEVELS: Final = 64


def _checked_content(content: dict[str, Any]) -> dict[str, Any]:
    # Deeper JSON can be read than can be written again
    if _is_deeper(content, MOST_LEVELS):
        raise PydanticCustomError("too_deep", "is nested too deeply")
    try:
        size = len(json.dumps(content, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        raise PydanticCustomError("not_json", "has what JSON can't say") from None
    if size > MOST_CONTENT_BYTES:
        raise PydanticCustomError("too_long", "has more than 512 KiB")
    return content


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)


Content = Annotated[
    dict[str, Any],
    AfterValidator(_checked_content),
    Field(description="JSON of the portal's own; at most 512 KiB"),
]


class ConversationWrite(Wire):
    """A conversation as it is now. ``shared`` lets the tenant's other members read it."""

    title: str = Field(
        min_length=1, max_length=120, description="What people know it by in their list."
    )
    content: Content
    shared: bool = Field(False, description="Whether the tenant's other members can read it.")


class ConversationEntry(Answer):
    """A conversation in a list. ``mine`` is true of the caller's own, which alone they can change.

    ``expires_at`` is when it is removed unless it goes on.
    """

    id: str = Field(description="Its id (`cnv_…`), by which paths name it.")
    title: str = Field(description="What people know it by in their list.")
    shared: bool = Field(description="Whether the tenant's other members can read it.")
    mine: bool = Field(description="Whether it is the caller's own, which alone they can change.")
    author: str = Field(description="The name of who keeps it.")
    created_at: Instant
    updated_at: Instant
    expires_at: Instant


class Conversation(ConversationEntry):
    """A conversation with all that was said."""

    content: dict[str, Any] = Field(description="All that was said, as the portal keeps it.")


class ConversationHistory(Answer):
    """A page of conversations. ``kept_days`` is how long each is kept; 0 if none are."""

    items: list[ConversationEntry]
    next_cursor: str | None = None
    kept_days: int = Field(
        description="How many days a conversation is kept after it was last changed; 0 if "
        "none are kept."
    )


class PromptCreate(Wire):
    """A prompt to keep, with its first version."""

    name: str = Field(
        min_length=1, max_length=120, description="What people know it by in their list."
    )
    content: Content
    shared: bool = Field(False, description="Whether the tenant's other members can read it.")


class PromptChange(Wire):
    """What changes of a prompt; what is left out stays."""

    name: str | None = Field(
        None,
        min_length=1,
        max_length=120,
        description="What people are to know it by; null leaves it.",
    )
    shared: bool | None = Field(
        None, description="Whether the tenant's other members can read it; null leaves it."
    )


class PromptVersionCreate(Wire):
    """The next version of a prompt."""

    content: Content


class SavedPrompt(Answer):
    """A prompt in a list. ``version`` is its newest."""

    id: str
    name: str = Field(description="What people know it by in their list.")
    shared: bool = Field(description="Whether the tenant's other members can read it.")
    mine: bool = Field(description="Whether it is the caller's own, which alone they can change.")
    author: str = Field(description="The name of who keeps it.")
    version: int = Field(description="Its newest version, counted from 1.")
    created_at: Instant
    updated_at: Instant


class PromptVersion(Answer):
    """A version of a prompt, which nobody changes."""

    version: int = Field(description="Which version of the prompt, counted from 1.")
    content: dict[str, Any] = Field(description="The prompt as the portal keeps it.")
    author: str = Field(description="The name of who wrote this version.")
    created_at: Instant
