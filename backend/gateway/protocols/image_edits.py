"""OpenAI's image edits: pictures made from others, which come in a form or by their addresses.

https://platform.openai.com/docs/api-reference/images/createEdit
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from backend.gateway.protocols.images import Images
from backend.gateway.protocols.parts.base import Asked, Document
from backend.gateway.protocols.parts.forms import fields_of, read_form, write_form
from backend.gateway.protocols.parts.requests import Request, wrong

_PICTURES: Final = frozenset({"image", "image[]", "mask"})


class ImageEdits(Images):
    """Edits: the pictures that come are read by the model, so that no rule counts its prompt."""

    name = "image_edits"
    path = "images/edits"
    events = "image_edit"

    def receive(self, body: bytes, content_type: str) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        if not content_type.lower().startswith("multipart/"):
            return _with_pictures(self.read(body))
        fields, files = read_form(body, content_type)
        document: dict[str, Any] = fields_of(fields)
        model, stream = document.get("model"), str(document.get("stream", "false")).lower()
        if not isinstance(model, str) or not model:
            raise wrong("model", "must be the name of a model")
        if stream not in ("true", "false"):
            raise wrong("stream", "must be true or false")
        if not files or not {file.field for file in files} <= _PICTURES:
            raise wrong("image", "must be one picture or several, beside a mask")
        if "n" in document:
            count = str(document["n"])
            if not (count.isascii() and count.isdecimal() and len(count) < 4):
                raise wrong("n", "must be a whole number")
            document["n"] = int(count)
        asked = self.read_pictures(Request(document, model, stream == "true"))
        return _with_pictures(replace(asked, files=files))

    def encode(self, asked: Asked, document: Document) -> tuple[bytes, str]:
        """Return a form as a form."""
        if asked.files:
            return write_form(document, asked.files)
        return super().encode(asked, document)


def _with_pictures(asked: Asked) -> Asked:
    return replace(asked, text_only=False, prompt_meter="image_input_tokens")


IMAGE_EDITS: Final = ImageEdits()
