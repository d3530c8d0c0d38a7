"""Which models the OpenAPI document has, learned without a validator for each of their fields.

FastAPI makes one for each field of each model, six thousand, to read its annotation and throw it
away: half of the three seconds that the document takes, in which the API answers nobody.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from fastapi._compat import v2
from fastapi._compat.v2 import ModelField, TypeModelSet
from pydantic import BaseModel
from pydantic.fields import FieldInfo

FASTAPIS_OWN = v2.get_flat_models_from_model


class _Annotated(NamedTuple):
    """What FastAPI reads of a field when it looks for models."""

    field_info: FieldInfo


def models_within(model: type[BaseModel], known_models: TypeModelSet | None = None) -> TypeModelSet:
    """Add the models and enumerations of a model's fields, at any depth; return all."""
    models = set() if known_models is None else known_models
    fields: list[Any] = [_Annotated(info) for info in model.model_fields.values()]
    return v2.get_flat_models_from_fields(cast(list[ModelField], fields), known_models=models)


def read_models_by_annotation() -> None:
    """Have FastAPI use :func:`models_within` in place of its own."""
    v2.get_flat_models_from_model = models_within
