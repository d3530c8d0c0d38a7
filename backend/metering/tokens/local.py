"""The tokenizers that run in this process: tiktoken's encodings, and a tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer as FileTokenizer

from backend.errors import ConfigurationError
from backend.metering.tokens.counts import (
    Message,
    TokenCount,
    Tool,
    calls_of,
    texts_of,
    uncounted_of,
)
from backend.metering.tokens.encodings import between, count_text, encoding, pieces
from backend.metering.tokens.images import count_images
from backend.metering.tokens.openai_chat import count_chat


class TiktokenCounter:
    """A tiktoken encoding with OpenAI's chat format and its rules for pictures."""

    def __init__(self, name: str, model: str) -> None:
        self._name = name
        self._model = model
        self._encoding = encoding(name)  # here, so that an unknown name is refused now

    def count_text(self, text: str) -> int:
        """Count a text's tokens; special tokens' names are plain text."""
        return count_text(self._name, text)

    def split_text(self, text: str) -> list[str]:
        """Return what each token of a text is."""
        whole: list[str] = []
        for piece in pieces(text):
            _, starts = self._encoding.decode_with_offsets(self._encoding.encode_ordinary(piece))
            whole += between(piece, starts)
        return whole

    def count_chat(self, messages: Sequence[Message], tools: Sequence[Tool]) -> TokenCount:
        """Count a chat as OpenAI's models get it."""
        chat = count_chat(self.count_text, self._name, messages, tools)
        images, notes = count_images(self._model, messages)
        return TokenCount(chat.text, images, chat.tools, chat.overhead, (*chat.notes, *notes))


class FileCounter:
    """A Hugging Face ``tokenizer.json``, with the chat template beside it.

    The template is ``chat_template.jinja`` or the ``chat_template`` of ``tokenizer_config.json``.
    Without one only a chat's text is counted, with a note.
    """

    def __init__(self, path: Path, model: str) -> None:
        self._tokenizer = _read_tokenizer(path)
        self._template = _read_template(path.parent)
        self._model = model

    def count_text(self, text: str) -> int:
        """Count a text's tokens, without those that begin or end a sequence."""
        encode = self._tokenizer.encode
        return sum(len(encode(piece, add_special_tokens=False)) for piece in pieces(text))

    def split_text(self, text: str) -> list[str]:
        """Return what each token of a text is."""
        encode = self._tokenizer.encode
        whole: list[str] = []
        for piece in pieces(text):
            offsets = encode(piece, add_special_tokens=False).offsets
            whole += between(piece, [start for start, _ in offsets])
        return whole

    def count_chat(self, messages: Sequence[Message], tools: Sequence[Tool]) -> TokenCount:
        """Count the prompt that the template makes of a chat."""
        notes = list(uncounted_of(messages))
        text = sum(
            self.count_text(part)
            for message in messages
            for part in (*texts_of(message), *calls_of(message))
        )
        images, image_notes = count_images(self._model, messages)
        notes += image_notes
        try:
            bare = self._prompt(messages, ())
            offered = self._prompt(messages, tools) - bare if tools else 0
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            notes.append(f"the chat template can't be used ({error}); counted without")
            return TokenCount(text=text, images=images, notes=tuple(notes))
        return TokenCount.of_prompt(bare, text=text, images=images, tools=offered, notes=notes)

    def _prompt(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        if self._template is None:
            raise ValueError("there is none beside the tokenizer")
        prompt = self._template.render(
            messages=[dict(message) for message in messages],
            tools=[dict(tool) for tool in tools] or None,
            add_generation_prompt=True,
        )
        return self.count_text(prompt)


def _read_tokenizer(path: Path) -> FileTokenizer:
    try:
        return FileTokenizer.from_buffer(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"The tokenizer {path} can't be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"The tokenizer {path} is not a tokenizer.json: {error}"
        ) from error


def _read_template(folder: Path) -> jinja2.Template | None:
    config: dict[str, object] = {}
    beside = folder / "tokenizer_config.json"
    if beside.is_file():
        read = json.loads(beside.read_bytes())
        config = read if isinstance(read, dict) else {}
    own = folder / "chat_template.jinja"
    source = own.read_text() if own.is_file() else config.get("chat_template")
    if isinstance(source, list):  # named templates, of which "default" is for chats
        named = {
            template.get("name"): template.get("template")
            for template in source
            if isinstance(template, dict)
        }
        source = named.get("default")
    if not isinstance(source, str):
        return None
    environment = _environment()
    special = {
        name: value.get("content") if isinstance(value, dict) else value
        for name, value in config.items()
        if name.endswith("_token")
    }
    return environment.from_string(source, globals=special)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = _refuse
    return environment


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)
