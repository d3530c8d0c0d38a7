"""Writes the published catalog as ``catalog.yaml``, to be edited and applied again."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from typing import Any

import yaml
from pydantic import BaseModel

from backend.catalog.yaml_reading import NUMBER, WHOLE
from backend_client.types.catalog import Catalog
from backend_client.types.common import plain

_HEAD = "# What is on sale. Edit it, and apply it with `farebox catalog apply`.\n"
_FIRST = ("id", "name", "kind")
_ALWAYS = frozenset({"kind", "currency", "quantity"})
"""Fields that are written even with their default; a pool says what it has, if nothing."""
_TAG = "tag:yaml.org,2002:"


class _Dumper(yaml.SafeDumper):
    """Writes numbers as they are, and quotes text that a reader could mistake for a number."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


# What YAML 1.2 reads as a number, beside what 1.1 does
_Dumper.add_implicit_resolver(
    f"{_TAG}float", re.compile(f"(?:{WHOLE}|{NUMBER})$"), list("-+.0123456789")
)


def _decimal(dumper: _Dumper, value: Decimal) -> yaml.ScalarNode:
    text = plain(value)
    return dumper.represent_scalar(_TAG + ("float" if "." in text else "int"), text)


class _OnOneLine(list[Any]):
    """A list of words or numbers."""


class _Together(dict[str, Any]):
    """A few words or numbers that belong together, such as a tier's."""


_Dumper.add_representer(Decimal, _decimal)
_Dumper.add_representer(
    _OnOneLine, lambda dumper, value: dumper.represent_sequence(f"{_TAG}seq", value, True)
)
_Dumper.add_representer(
    _Together, lambda dumper, value: dumper.represent_mapping(f"{_TAG}map", value, True)
)


def catalog_as_yaml(catalog: Catalog) -> str:
    """Return a catalog as YAML; ``yaml_reading.load_catalog`` reads the same back.

    Defaults are left out, and comments are not kept.
    """
    document = _parts(catalog)
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=96, encoding=None
    )
    return _HEAD + text


def _parts(value: Any) -> Any:
    if isinstance(value, BaseModel):
        written = {
            name: _parts(getattr(value, name))
            for name, field in type(value).model_fields.items()
            if name in _ALWAYS
            or field.is_required()
            or getattr(value, name) != field.get_default(call_default_factory=True)
        }
        first = {name: written.pop(name) for name in _FIRST if name in written}
        nested = any(isinstance(value, list | dict) for value in written.values())
        return first | written if first or nested else _Together(written)
    if isinstance(value, dict):
        return {key: _parts(part) for key, part in value.items()}
    if isinstance(value, list):
        plainly = not any(isinstance(item, BaseModel) for item in value)
        return _OnOneLine(value) if plainly else [_parts(item) for item in value]
    return value.value if isinstance(value, Enum) else value
