"""Counting tokens before, or without, asking a model."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend_client.types.common import Answer

MOST_SHOWN: Final = 50_000
"""Characters of a text whose tokens are shown one by one."""


class TokenCountRequest(BaseModel):
    """A chat completion's request as it would be sent, or a ``text``.

    Of a chat, ``messages`` and ``tools`` are counted; its other members are left aside, so that
    a request can be sent here unchanged. ``pieces`` asks for what each token of a ``text`` is.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=10_000)] | None = (
        Field(
            None,
            description="The chat's messages, as they would be sent to the model; null for a "
            "`text`.",
        )
    )
    tools: Annotated[list[dict[str, Any]], Field(max_length=1_000)] | None = Field(
        None, description="The definitions of tools that go with the messages; null for none."
    )
    text: str | None = Field(None, description="A text by itself; null for a chat.")
    pieces: bool = Field(False, description="Whether to answer what each token of a `text` is.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.messages is None) == (self.text is None):
            raise ValueError("send either messages or text")
        if self.tools is not None and self.messages is None:
            raise ValueError("tools go with messages, not with text")
        if self.pieces and (self.text is None or len(self.text) > MOST_SHOWN):
            raise ValueError(f"pieces are of a text, of at most {MOST_SHOWN} characters")
        return self


class TokenBreakdown(Answer):
    """What the tokens are spent on; they add up to the count.

    ``overhead`` is what the model's chat format adds: roles, separators, the primed answer.
    """

    text: int = Field(description="Tokens of what is said.")
    images: int = Field(description="Tokens of pictures.")
    tools: int = Field(description="Tokens of the definitions of tools.")
    overhead: int = Field(
        description="Tokens that the model's chat format adds: roles, separators, the primed "
        "answer."
    )


class TokenCountResult(Answer):
    """A count by the model's own tokenizer.

    ``notes`` name the parts for which no rule is published; the count is ``exact`` without any.
    ``pieces`` are the tokens of a text, which they make up together; one is empty where a
    character takes several. Null unless they were asked for, and where the tokenizer shows none.
    """

    model: str
    tokenizer: str = Field(description="What counted them, as the catalog names it.")
    tokens: int = Field(description="How many tokens the request or text has.")
    breakdown: TokenBreakdown = Field(
        description="What they are spent on; the parts add up to `tokens`."
    )
    exact: bool = Field(description="Whether the count is exact; if not, `notes` say why.")
    notes: list[str] = Field([], description="The parts for which no rule is published.")
    pieces: list[str] | None = Field(
        None,
        description="The text of each token; null unless it was asked for, and where the "
        "tokenizer shows none.",
    )
