"""``catalog.yaml``, read exactly and with errors that name the line.

YAML's own number type is binary floating point, in which 0.1 is not 0.1. Here a number with a
point or an exponent becomes a ``Decimal``. The types are those of YAML 1.2, so ``no`` and ``1:30``
are text, and a key given twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml
from pydantic import BaseModel, ValidationError

from backend.errors import ConfigurationError, InvalidInput, MalformedRequest
from backend_client.types.catalog import Catalog
from backend_client.types.problems import FieldError

_JSON = msgspec.json.Decoder(float_hook=Decimal)
_Path = tuple[str | int, ...]
Kind = TypeVar("Kind", bound=BaseModel)


class _Loader(yaml.CSafeLoader):
    """YAML 1.2 core types; numbers that are not whole are Decimals; no key twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    problem="a key must be a plain word", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key!r} is given twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value.replace("_", ""))


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value.replace("_", ""))


_TAG = "tag:yaml.org,2002:"
WHOLE = r"[-+]?[0-9][0-9_]*"
NUMBER = r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
for _name, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", WHOLE, "-+0123456789"),
    ("float", NUMBER, "-+.0123456789"),
    ("null", r"~|null|", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), list(_first))
_Loader.add_constructor(_TAG + "int", _whole)
_Loader.add_constructor(_TAG + "float", _decimal)


def load_catalog(path: Path) -> Catalog:
    """Read and check a catalog file.

    Raises ``ConfigurationError`` whose detail has a sentence for every mistake, with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The catalog {path} can't be read: {error}.") from error
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        document = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{path.name}, line {line}: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path.name}: {error}.") from error
    finally:
        loader.dispose()
    if root is None:
        raise ConfigurationError(f"The catalog {path} is empty.")
    try:
        return Catalog.model_validate(document)
    except ValidationError as error:
        mistakes = []
        errors = []
        for at, detail in _mistakes(error):
            fields, line = _locate(root, at)
            field = ".".join(map(str, fields))
            mistakes.append(f"{path.name}, line {line}, {field or 'the file'}: {detail}")
            errors.append(FieldError(field=field, detail=detail))
        raise ConfigurationError("\n".join(mistakes), errors=errors) from error


def parse_catalog(body: bytes) -> Catalog:
    """Read a catalog sent as JSON, exactly; see ``parse_exactly``."""
    return parse_exactly(body, Catalog)


def parse_exactly(body: bytes, kind: type[Kind]) -> Kind:
    """Read JSON, its numbers as exact decimals.

    Raises ``MalformedRequest`` if it is not JSON, ``InvalidInput`` with the fields otherwise.
    """
    try:
        document = _JSON.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRequest(f"The body is not JSON: {error}.") from error
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(
            "The catalog is not valid." if kind is Catalog else "The body is not valid.",
            errors=[
                FieldError(field=".".join(map(str, at)), detail=detail)
                for at, detail in _mistakes(error)
            ],
        ) from error


def _mistakes(error: ValidationError) -> list[tuple[_Path, str]]:
    """List each mistake's path and what is wrong there."""
    return [
        (
            (*mistake["loc"], *mistake.get("ctx", {}).get("at", ())),
            mistake["msg"].removeprefix("Value error, "),
        )
        for mistake in error.errors(include_url=False)
    ]


def _locate(root: yaml.Node, path: Sequence[str | int]) -> tuple[_Path, int]:
    """Follow ``path`` through the document; return the steps that exist, and the last line reached.

    A path from pydantic has steps that are not in the document, such as the kind of a charge. A
    last step that does not exist is a missing key, and kept.
    """
    node, existing, line = root, [], root.start_mark.line + 1
    for index, step in enumerate(path):
        below = _child(node, step)
        if below is not None:
            node, line = below
            existing.append(step)
        elif index == len(path) - 1:
            existing.append(step)
    return tuple(existing), line


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child, child.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return value, key.start_mark.line + 1
    return None
