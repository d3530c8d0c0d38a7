"""Mistral's own chat encoding, by the library that Mistral publishes for it.

https://github.com/mistralai/mistral-common says which version each model has. The package contains
the tekken files of two; a newer model's ``tekken.json`` is named by its path. Versions before
tekken also need the package ``sentencepiece``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.image import ImageEncoder
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from backend.errors import ConfigurationError
from backend.metering.tokens.counts import (
    Message,
    TokenCount,
    Tool,
    calls_of,
    images_of,
    texts_of,
    uncounted_of,
)
from backend.metering.tokens.encodings import between, pieces
from backend.metering.tokens.image_size import image_size

_Mistral = MistralTokenizer[Any, Any, Any, Any, Any]
_VERSIONS: dict[str, Callable[[], _Mistral]] = {
    "v3-tekken": lambda: MistralTokenizer.v3(is_tekken=True),
    "v3-tekken-mm": lambda: MistralTokenizer.v3(is_tekken=True, is_mm=True),
    "v1": MistralTokenizer.v1,
    "v2": MistralTokenizer.v2,
    "v3": MistralTokenizer.v3,
    "v7": MistralTokenizer.v7,
}
VERSIONS = tuple(_VERSIONS)
# Errors of the library for a chat that Mistral's format can't express.
_MISFITS = (
    MistralCommonException,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
)


class MistralCounter:
    """Counts by ``mistral_common``. Pictures are sized by their headers; none is decoded.

    The library would fetch an ``image_url``, from the network and from this machine's files; so it
    never gets one.
    """

    def __init__(self, version: str) -> None:
        self._tokenizer = _load(version)
        self._instruct = self._tokenizer.instruct_tokenizer

    def count_text(self, text: str) -> int:
        """Count a text's tokens, without those that begin or end a sequence."""
        encode = self._instruct.tokenizer.encode
        return sum(len(encode(piece, bos=False, eos=False)) for piece in pieces(text))

    def split_text(self, text: str) -> list[str]:
        """Return what each token of a text is."""
        tokenizer = self._instruct.tokenizer
        whole: list[str] = []
        for piece in pieces(text):
            starts, at = [], 0
            for token in tokenizer.encode(piece, bos=False, eos=False):
                starts.append(at)
                # A part of a character has no letters of its own
                letters = tokenizer.decode([token]).strip("\N{REPLACEMENT CHARACTER}")
                place = piece.find(letters, at)
                at = place + len(letters) if letters and place >= 0 else at
            whole += between(piece, starts)
        return whole

    def count_chat(self, messages: Sequence[Message], tools: Sequence[Tool]) -> TokenCount:
        """Count a chat as Mistral's format encodes it."""
        notes = [*uncounted_of(messages)]
        text = sum(
            self.count_text(part)
            for message in messages
            for part in (*texts_of(message), *calls_of(message))
        )
        images, image_notes = self._images(messages)
        notes += image_notes
        try:
            bare = self._encode(messages, ())
            offered = self._encode(messages, tools) - bare if tools else 0
        except _MISFITS as error:
            reason = " ".join(str(error).split())[:200]
            notes.append(f"Mistral's format can't express this chat ({reason}); text alone")
            return TokenCount(text=text, images=images, notes=tuple(notes))
        return TokenCount.of_prompt(bare, text=text, images=images, tools=offered, notes=notes)

    def _encode(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        request = ChatCompletionRequest.from_openai(
            [_without_images(message) for message in messages],
            tools=[dict(tool) for tool in tools] or None,
        )
        return len(self._tokenizer.encode_chat_completion(request).tokens)

    def _images(self, messages: Sequence[Message]) -> tuple[int, list[str]]:
        total, notes = 0, []
        encoder = self._instruct.image_encoder
        for image in images_of(messages):
            if encoder is None:
                notes.append(f"{image.place}: this tokenizer does not accept pictures; not counted")
                continue
            size = image_size(image.url)
            if size is None:
                longest = encoder.image_config.max_image_size
                size = (longest, longest)
                notes.append(f"{image.place}: its size is not in its URL; counted as the largest")
            total += _image_tokens(encoder, *size)
        return total, notes


def _image_tokens(encoder: ImageEncoder, width: int, height: int) -> int:
    """Return the tokens of a picture: rows of patches, each row ended by one token more."""
    config = encoder.image_config
    over = max(width, height) / config.max_image_size
    if over > 1:
        width, height = max(round(width / over), 1), max(round(height / over), 1)
    patch = config.image_patch_size * config.spatial_merge_size
    return (-(-width // patch) + 1) * -(-height // patch)


def _without_images(message: Message) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return dict(message)
    kept = [
        part for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return {**message, "content": kept or ""}


def _load(version: str) -> _Mistral:
    make = _VERSIONS.get(version)
    try:
        if make is not None:
            return make()
        if not Path(version).is_file():
            versions = ", ".join(VERSIONS)
            raise ConfigurationError(
                f"There is no Mistral tokenizer {version!r}; there are {versions}, or the path of "
                "a tekken.json."
            )
        return MistralTokenizer.from_file(version)
    except ImportError as error:
        raise ConfigurationError(
            f"Mistral's {version} needs the package sentencepiece: pip install sentencepiece."
        ) from error
    except (MistralCommonException, ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(f"{version} is not a tokenizer of Mistral's: {error}") from error
