"""A CloudEvent in HTTP's binary mode: attributes in ``ce-`` headers, the data as the body.

After the `HTTP binding, 3.1 <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/
http-protocol-binding.md>`_.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from backend.metering.ingest.parsing import read_document
from backend.metering.ingest.plain_events import SentEvent
from backend.metering.refusals.refusal import Refusal, refusal_for

SIGN: Final = "ce-specversion"
"""The header that every event in binary mode has."""

_PREFIX: Final = "ce-"
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_anything = msgspec.json.Decoder(float_hook=Decimal)


def read_binary_mode(
    headers: Iterable[tuple[str, str]], media_type: str, body: bytes
) -> SentEvent | Refusal:
    """Read the event that a request is, or say why it is none.

    ``headers`` have lower-case names, and values of which each character is a byte.
    """
    document: dict[str, Any] = {"datacontenttype": media_type}
    for header, value in headers:
        if not header.startswith(_PREFIX):
            continue
        name = header.removeprefix(_PREFIX)
        if name in document or name == "data":
            return refusal_for(document, name, "is there twice")
        try:
            document[name] = _decoded(value)
        except UnicodeDecodeError:
            return refusal_for(document, name, "is not UTF-8 in percent-encoding")
    try:
        document["data"] = _anything.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return refusal_for(document, "data", f"is not valid JSON: {error}")
    return read_document(document)


def _decoded(value: str) -> str:
    if quoted := _QUOTED.fullmatch(value):
        value = _ESCAPED.sub(r"\1", quoted[1])
    # Bytes beyond ASCII have no place in a header; senders that write them mean UTF-8
    return unquote(value.encode("latin-1").decode(), errors="strict")
