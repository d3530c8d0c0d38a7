"""The interface of tokenizers, and its two kinds: in this process, or at the provider."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from backend.errors import ConfigurationError
from backend.metering.tokens.counts import (
    Message,
    TokenCount,
    Tool,
    calls_of,
    characters,
    images_of,
    texts_of,
    uncounted_of,
)
from backend.metering.tokens.images import count_images
from backend.metering.tokens.pool import (
    INLINE_CHARACTERS,
    count_text_off_loop,
    in_thread,
    load_in_thread,
)

FALLBACK = "o200k_base"
"""The encoding used when a provider's own tokenizer does not answer."""


PATIENCE_SECONDS = 5.0
"""How long a provider may take to tokenize: the caller and the bill wait for it."""

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")


class RemoteTokenizer(Protocol):
    """A provider with a tokenizer of its own. Its methods return None if it can't count."""

    async def tokenize(self, text: str) -> int | None:
        """Count a text's tokens."""

    async def split_text(self, text: str) -> list[str] | None:
        """Return what each token of a text is; they make it up together."""

    async def prompt_text(self, messages: object, tools: object = None) -> str | None:
        """Return the prompt that its chat template makes."""


class Counter(Protocol):
    """A tokenizer that is loaded into this process. Its methods may take long."""

    def count_text(self, text: str) -> int:
        """Count a text's tokens."""

    def split_text(self, text: str) -> list[str]:
        """Return what each token of a text is; empty where a character takes several."""

    def count_chat(self, messages: Sequence[Message], tools: Sequence[Tool]) -> TokenCount:
        """Count a chat as the model gets it."""


class Tokenizer(ABC):
    """Counts for one model. ``setting`` is the catalog's word for it."""

    local: bool
    """Whether it counts in this process, so that it costs no request."""

    def __init__(self, setting: str) -> None:
        self.setting = setting

    @abstractmethod
    async def load(self) -> None:
        """Load what it counts by, so that no call waits for that.

        Raises ``ConfigurationError`` if it can't.
        """

    @abstractmethod
    async def count_text(self, text: str) -> int:
        """Count a text's tokens."""

    @abstractmethod
    async def split_text(self, text: str) -> list[str] | None:
        """Return what each token of a text is; None where the tokenizer can't show them.

        Together they make up the text. One is empty where a character takes several tokens.
        """

    @abstractmethod
    async def count_chat(
        self, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> TokenCount:
        """Count a chat as the model gets it: template, tools and pictures too."""


class LocalTokenizer(Tokenizer):
    """Loads when first used, and counts all but short texts in a thread."""

    local = True

    def __init__(
        self,
        setting: str,
        load: Callable[[], Counter],
        *,
        inline_characters: int = INLINE_CHARACTERS,
    ) -> None:
        super().__init__(setting)
        self._load = load
        self._inline_characters = inline_characters
        self._counter: Counter | None = None

    async def count_text(self, text: str) -> int:
        """Count a text's tokens; raises ``ConfigurationError`` if the tokenizer can't."""
        counter = await self._loaded()
        if len(text) <= self._inline_characters:
            return self._tried(counter.count_text, text)
        return await in_thread(self._tried, counter.count_text, text)

    async def split_text(self, text: str) -> list[str] | None:
        """Return what each token is; raises ``ConfigurationError`` if the tokenizer can't."""
        counter = await self._loaded()
        return await in_thread(self._tried, counter.split_text, text)

    async def count_chat(
        self, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> TokenCount:
        """Count a chat; raises ``ConfigurationError`` if the tokenizer can't."""
        counter = await self._loaded()
        short = characters(messages, tools) <= self._inline_characters
        if short and not any(images_of(messages)):
            return self._tried(counter.count_chat, messages, tools)
        return await in_thread(self._tried, counter.count_chat, messages, tools)

    def _tried(
        self, count: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Answer:
        """Count; a call's usage must be recorded even if the tokenizer fails."""
        try:
            return count(*args, **kwargs)
        except BaseException as error:
            # Native code raises ValueError, Exception itself, or a panic, which is not even that
            ordinary = isinstance(error, ValueError) or type(error) is Exception
            if not ordinary and not _is_panic(error):
                raise
            reason = " ".join(str(error).split())[:200]
            raise ConfigurationError(f"The tokenizer {self.setting} failed: {reason}") from error

    async def load(self) -> None:
        """Load it; raises ``ConfigurationError`` if it can't be."""
        await self._loaded()

    async def _loaded(self) -> Counter:
        if self._counter is None:
            self._counter = await load_in_thread(self._load)
        return self._counter


def _is_panic(error: BaseException) -> bool:
    return type(error).__module__ == "pyo3_runtime"


class UpstreamTokenizer(Tokenizer):
    """Asks the model's own server, by ``/tokenize`` and ``/apply-template``."""

    local = False

    def __init__(self, setting: str, model: str, remote: RemoteTokenizer | None) -> None:
        super().__init__(setting)
        self._model = model
        self._remote = remote

    async def load(self) -> None:
        """Load nothing: the provider has it."""

    async def count_text(self, text: str) -> int:
        """Count a text's tokens, by an encoding of tiktoken's if the provider does not answer."""
        return (await self._count(text))[0]

    async def split_text(self, text: str) -> list[str] | None:
        """Return what each token is, if the provider says so."""
        if self._remote is None:
            return None
        return await _in_time(self._remote.split_text(text))

    async def count_chat(
        self, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> TokenCount:
        """Count the prompt that the provider's own template makes of a chat."""
        plain = "\n".join(
            text for message in messages for text in (*texts_of(message), *calls_of(message))
        )
        images, image_notes = count_images(self._model, messages)
        notes = [*uncounted_of(messages), *image_notes]
        text, by_provider = await self._count(plain)
        if not by_provider:
            notes.append(f"the provider does not tokenize now; counted by {FALLBACK}")
        bare = await self._prompt(messages, ())
        if bare is None:
            notes.append("the provider does not apply its chat template; counted without")
            return TokenCount(text=text, images=images, notes=tuple(notes))
        with_tools = await self._prompt(messages, tools) if tools else bare
        offered = 0 if with_tools is None else with_tools - bare
        if tools and with_tools is None:
            notes.append("tools: the provider's template does not accept them")
        return TokenCount.of_prompt(bare, text=text, images=images, tools=offered, notes=notes)

    async def _prompt(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int | None:
        if self._remote is None:
            return None
        asking = self._remote.prompt_text(list(messages), list(tools) or None)
        prompt = await _in_time(asking)
        return None if prompt is None else (await self._count(prompt))[0]

    async def _count(self, text: str) -> tuple[int, bool]:
        if not text:
            return 0, True
        count = None if self._remote is None else await _in_time(self._remote.tokenize(text))
        if count is None:
            return await count_text_off_loop(FALLBACK, text), False
        return count, True


async def _in_time(asking: Awaitable[Answer]) -> Answer | None:
    try:
        return await asyncio.wait_for(asking, PATIENCE_SECONDS)
    except TimeoutError:
        return None
