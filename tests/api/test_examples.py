"""Every operation of the OpenAPI document has examples, and each is what its schema describes.

So is every parameter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from backend.api.field_texts import OF_TYPES, OTHERWISE
from backend_client.types.catalog import Catalog
from backend_client.types.contracts import AmendmentCreate, ContractCreate, Coupon
from backend_client.types.simulate import SimulationRequest

pytestmark = pytest.mark.slow

WITHOUT = {"application/pdf", "multipart/form-data", "application/octet-stream", "audio/mpeg"}
"""Files that are no text."""

DOCUMENT = "urn:openapi"

BODIES = {
    "PUT /v1/catalog": Catalog,
    "POST /v1/tenants/{tenant_id}/contracts": ContractCreate,
    "POST /v1/tenants/{tenant_id}/contracts/{contract_id}/amendments": AmendmentCreate,
    "PUT /v1/coupons/{coupon_id}": Coupon,
    "POST /v1/simulate": SimulationRequest,
    "POST /v1/tenants/{tenant_id}/simulate": SimulationRequest,
    "POST /v1/public/simulate": SimulationRequest,
}
"""Those that a route reads itself."""

SILENT = {"POST /v1/audio/speech", "GET /metrics", "POST /v1/platforms/{platform}/webhook"}
"""What answers sound, a text of another program's, or nothing."""

OPAQUE = {"cursor"}
"""What is only ever sent back as it came."""

EMPTY_WORDS = frozenset(
    {"a", "an", "and", "by", "id", "if", "is", "it", "its", "name", "of", "or", "the", "this", "to"}
)
"""What a description can have beside the parameter's name, and still say nothing."""

Content = tuple[str, str, dict[str, Any]]


def requests_of(document: dict[str, Any]) -> Iterator[Content]:
    """Each body that may be sent: the operation, its media type and its description."""
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{verb.upper()} {path}", media_type, content


def parameters_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each parameter of a path, a query or a header, with its operation and name."""
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            for parameter in operation.get("parameters", ()):
                yield f"{verb.upper()} {path} {parameter['name']}", parameter


def words_of(text: str) -> set[str]:
    """The words of a text, in the singular."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z]+", text.lower())}


def says_nothing(parameter: dict[str, Any]) -> bool:
    description = words_of(parameter.get("description", ""))
    return description <= words_of(parameter["name"]) | EMPTY_WORDS


def tells_values(schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a schema says itself what may be sent, or shows an example of it."""
    if "$ref" in schema:
        return tells_values(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if {"enum", "const"} & schema.keys() or schema.get("examples"):
        return True
    if "anyOf" in schema:
        choices = [each for each in schema["anyOf"] if each.get("type") != "null"]
        return all(tells_values(each, schemas) for each in choices)
    if schema["type"] == "array":
        return tells_values(schema["items"], schemas)
    return schema["type"] in ("boolean", "integer") or schema.get("format") == "date"


def answers_of(document: dict[str, Any]) -> Iterator[Content]:
    """Each body that is answered if all goes well."""
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    for media_type, content in response.get("content", {}).items():
                        yield f"{verb.upper()} {path}", media_type, content


def example_of(content: dict[str, Any]) -> Any:
    if "examples" in content:
        return next(iter(content["examples"].values()))["value"]
    return content.get("example")


def _absolute(schema: dict[str, Any]) -> Any:
    """A schema whose references are to the document, wherever it stands itself."""
    return json.loads(json.dumps(schema).replace('"#/', f'"{DOCUMENT}#/'))


def test_every_operation_is_described_and_has_examples(engineless: FastAPI) -> None:
    document = engineless.openapi()
    lacking = [
        (place, media_type)
        for place, media_type, content in (*requests_of(document), *answers_of(document))
        if media_type not in WITHOUT and not {"example", "examples"} & content.keys()
    ]
    assert lacking == []
    silent = {
        f"{verb.upper()} {path}"
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        for status, response in operation["responses"].items()
        if status in ("200", "201") and not response.get("content")
    }
    assert silent == SILENT
    undescribed = [
        f"{verb.upper()} {path}"
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if not operation.get("summary")
    ]
    assert undescribed == []


def test_every_parameter_is_described_and_shows_what_may_be_sent(engineless: FastAPI) -> None:
    document = engineless.openapi()
    schemas = document["components"]["schemas"]
    parameters = dict(parameters_of(document))
    assert [place for place, each in parameters.items() if says_nothing(each)] == []
    assert [
        place
        for place, each in parameters.items()
        if each["name"] not in OPAQUE and not tells_values(each["schema"], schemas)
    ] == []


@pytest.mark.parametrize("description", ["", "Tenant id", "The id of the tenant.", "Its tenants"])
def test_a_parameter_that_repeats_its_name_is_not_described(description: str) -> None:
    assert says_nothing({"name": "tenant_id", "description": description})


def test_every_example_of_a_parameter_is_what_its_schema_describes(engineless: FastAPI) -> None:
    document = engineless.openapi()
    resource = DRAFT202012.create_resource(document)
    registry: Registry[Any] = Registry().with_resource(DOCUMENT, resource)
    wrong = []
    for place, parameter in parameters_of(document):
        validator = Draft202012Validator(_absolute(parameter["schema"]), registry=registry)
        for example in parameter["schema"].get("examples", ()):
            wrong += [f"{place}: {error.message[:200]}" for error in validator.iter_errors(example)]
    assert wrong == []


def test_every_schema_and_every_field_is_described(engineless: FastAPI) -> None:
    """If this fails: describe the field where its type is, with ``Field(description=…)``."""
    schemas = engineless.openapi()["components"]["schemas"]
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []
    assert [
        f"{schema}.{name}"
        for schema, described in schemas.items()
        for name, field in described.get("properties", {}).items()
        if says_nothing({"name": name, **field})
    ] == []


def test_the_shared_texts_are_of_types_that_there_are(engineless: FastAPI) -> None:
    schemas = engineless.openapi()["components"]["schemas"]
    read = {name.removesuffix("-Input").removesuffix("-Output") for name in schemas}
    kinds = {kind for several in OF_TYPES for kind in several}
    assert (kinds | OTHERWISE.keys()) - read == set()


def test_every_operation_says_how_its_errors_are_answered(engineless: FastAPI) -> None:
    document = engineless.openapi()
    schemas = {
        f"{verb.upper()} {path}": [
            content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
            for status, response in operation["responses"].items()
            if not status.startswith(("1", "2", "3"))
            for content in response.get("content", {}).values()
        ]
        for path, item in document["paths"].items()
        for verb, operation in item.items()
    }
    problems = {"Problem", "OpenAIProblem", "AnthropicProblem"}
    assert [place for place, kinds in schemas.items() if not problems.intersection(kinds)] == []


def test_every_example_is_what_its_schema_describes(engineless: FastAPI) -> None:
    document = engineless.openapi()
    resource = DRAFT202012.create_resource(document)
    registry: Registry[Any] = Registry().with_resource(DOCUMENT, resource)
    wrong = []
    for place, media_type, content in (*requests_of(document), *answers_of(document)):
        if "json" in media_type and content.get("schema"):
            schema = _absolute(content["schema"])
            validator = Draft202012Validator(schema, registry=registry)
            wrong += [
                f"{place}: {error.json_path}: {error.message[:200]}"
                for error in validator.iter_errors(example_of(content))
            ]
    assert wrong == []


def test_every_example_of_a_request_is_one_that_the_api_takes(engineless: FastAPI) -> None:
    bodies: dict[str, Any] = BODIES | {
        f"{method} {route.path_format}": route.body_field.field_info.annotation
        for route in engineless.routes
        if isinstance(route, APIRoute) and route.body_field is not None
        for method in route.methods or ()
    }
    wrong = []
    for place, media_type, content in requests_of(engineless.openapi()):
        body = bodies.get(place)
        if body is not None and media_type == "application/json":
            try:
                TypeAdapter(body).validate_json(json.dumps(example_of(content)))
            except ValueError as error:
                wrong.append(f"{place}: {error}")
    assert wrong == []
