"""What callers say of a call for their own accounts: labels of its event. Pure.

OpenAI's requests have ``user`` and ``metadata``, Anthropic's ``metadata.user_id``; a header does
for every protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from backend.gateway.errors import InvalidRequest
from backend.gateway.price_labels import PRICE_LABELS
from backend.gateway.protocols.parts.base import Document
from backend_client.types.events import LONGEST_LABEL_NAME_BYTES, LONGEST_NAME_BYTES
from backend_client.types.problems import FieldError

HEADER: Final = "x-farebox-labels"
"""``team=search, feature=chat``"""
MOST_TAGS: Final = 16
RESERVED: Final = frozenset(
    {"status", "usage_source", "request_id", "answer_id", "attempts", "first_token_ms"}
    | PRICE_LABELS
)
"""Labels that say how a call went, which its caller can't."""


def tags_of(
    document: Document, headers: Mapping[str, str], *, priced: Collection[str]
) -> dict[str, str]:
    """Return a caller's tags of a call.

    ``priced`` are the labels by which its plan has prices: these are the seller's to set. What a
    body has beyond ``MOST_TAGS`` or can't be a label is left out, since providers take more than
    that; in the header it is refused. Raises ``InvalidRequest``.
    """
    closed = RESERVED.union(priced)
    tags = {
        name: value
        for name, value in _in_body(document)
        if name not in closed and _is_label(name, value)
    }
    named = _in_header(headers.get(HEADER, ""), closed)
    return dict(list({**named, **tags, **named}.items())[:MOST_TAGS])


def _in_body(document: Document) -> Iterator[tuple[str, str]]:
    user = document.get("user")
    if isinstance(user, str):
        yield "user", user
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        for name, value in metadata.items():
            if isinstance(value, str):
                yield "user" if name == "user_id" else name, value


def _in_header(text: str, closed: Collection[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = (side.strip() for side in part.partition("="))
        if not equals or not _is_label(name, value):
            raise _wrong(f"{part.strip()[:50]!r} is no label: write name=value, name=value")
        if name in closed:
            raise _wrong(f"{name!r} is not yours to set")
        tags[name] = value
    if len(tags) > MOST_TAGS:
        raise _wrong(f"has more than {MOST_TAGS} labels")
    return tags


def _is_label(name: str, value: str) -> bool:
    return (
        0 < len(name.encode("utf-8", "replace")) <= LONGEST_LABEL_NAME_BYTES
        and 0 < len(value.encode("utf-8", "replace")) <= LONGEST_NAME_BYTES
        and name.isprintable()
        and value.isprintable()
    )


def _wrong(detail: str) -> InvalidRequest:
    return InvalidRequest(f"{HEADER}: {detail}.", errors=[FieldError(field=HEADER, detail=detail)])
