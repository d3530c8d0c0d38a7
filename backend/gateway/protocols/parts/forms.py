"""Requests with files: ``multipart/form-data`` by RFC 7578, read and written. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from backend.gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FORM: Final = b"multipart/form-data"
_MOST_PARTS: Final = 200


@dataclass(frozen=True, slots=True)
class File:
    """A file of a form: the field's name, the file's, its type and what is in it."""

    field: str
    name: str
    media_type: str
    content: bytes


def read_form(body: bytes, content_type: str) -> tuple[dict[str, list[str]], list[File]]:
    """Return the fields of a form, with each value that they have, and its files.

    Raises ``InvalidRequest``.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != _FORM or not boundary:
        raise InvalidRequest("The body must be multipart/form-data, with a boundary.")
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise InvalidRequest(f"The body is no valid multipart/form-data: {error}") from error
    if not parts.ended:
        raise InvalidRequest("The body is no valid multipart/form-data: it is cut short.")
    return parts.fields, parts.files


def fields_of(fields: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """Return fields as members of an object: several values, and those of ``name[]``, as a list."""
    return {
        name: values if name.endswith("[]") or len(values) > 1 else values[0]
        for name, values in fields.items()
    }


def write_form(fields: Mapping[str, object], files: Iterable[File]) -> tuple[bytes, str]:
    """Return a form's body and its content type. A list is a field with several values."""
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            pieces += [_head(boundary, name), b"\r\n", str(each).encode(errors="replace"), b"\r\n"]
    for file in files:
        head = _head(boundary, file.field, file.name)
        media_type = _plain(file.media_type).encode()
        pieces += [head, b"content-type: ", media_type, b"\r\n\r\n", file.content, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


def _head(boundary: str, name: str, filename: str | None = None) -> bytes:
    of_file = "" if filename is None else f'; filename="{_quoted(filename)}"'
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(name)}"{of_file}\r\n'
    return head.encode(errors="replace")


def _quoted(text: str) -> str:
    """Return a name as browsers write it: https://html.spec.whatwg.org/#multipart-form-data"""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _plain(media_type: str) -> str:
    is_plain = media_type.isascii() and media_type.isprintable()
    return media_type if is_plain and media_type else "application/octet-stream"


class _Parts:
    """What the parser came upon."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.files: list[File] = []
        self.ended = False
        self._count = 0
        self._headers: dict[bytes, bytes] = {}
        self._header = b""
        self._value = b""
        self._content: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._name_of_header,
            "on_header_value": self._value_of_header,
            "on_header_end": self._end_header,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > _MOST_PARTS:
            raise FormParserError(f"it has more than {_MOST_PARTS} parts")
        self._headers, self._content = {}, []

    def _name_of_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _value_of_header(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name")
        if name is None:
            raise FormParserError("a part has no name")
        field, content = name.decode(errors="replace"), b"".join(self._content)
        if b"filename" in options:
            media_type = self._headers.get(b"content-type", b"").decode(errors="replace")
            filename = options[b"filename"].decode(errors="replace")
            self.files.append(File(field, filename, media_type, content))
        else:
            self.fields.setdefault(field, []).append(content.decode(errors="replace"))

    def _all(self) -> None:
        self.ended = True
