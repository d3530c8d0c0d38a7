"""What is wrong with written JSON before a model is asked: functions, a schema. Plain functions."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator

MOST_TOOLS: Final = 64
MOST_STOPS: Final = 4
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The name of a function, as OpenAI's protocol has it."""


class Wrong(ValueError):
    """What was written can't be sent; the text says why and where."""


def stops_in(text: str) -> list[str]:
    """The sequences that end an answer, one a line; raise ``Wrong`` for more than may be sent."""
    stops = [line.replace("\\n", "\n") for line in text.splitlines() if line]
    if len(stops) > MOST_STOPS:
        raise Wrong(f"At most {MOST_STOPS} stop sequences can be sent, one a line.")
    return stops


def tools_in(text: str) -> list[dict[str, Any]]:
    """The functions that a model may ask for, as OpenAI's protocol lists them.

    A function may stand without the wrapping that says that it is one.

    Raises:
        Wrong: it is no JSON, or a function has no usable name or parameters.
    """
    if not text.strip():
        return []
    listed = _json(text)
    entries = listed if isinstance(listed, list) else [listed]
    if len(entries) > MOST_TOOLS:
        raise Wrong(f"At most {MOST_TOOLS} functions can be offered.")
    tools = [_tool(entry, place) for place, entry in enumerate(entries, start=1)]
    names = [tool["function"]["name"] for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise Wrong(f"Two functions are called {name}.")
    return tools


def _tool(entry: object, place: int) -> dict[str, Any]:
    if isinstance(entry, dict) and "function" not in entry and "name" in entry:
        entry = {"type": "function", "function": entry}
    if not isinstance(entry, dict) or entry.get("type") != "function":
        raise Wrong(f'Tool {place} is no function: {{"type": "function", "function": {{…}}}}.')
    function = entry.get("function")
    if not isinstance(function, dict):
        raise Wrong(f"Tool {place} has no function with a name.")
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Wrong(f"Function {place} needs a name of letters, digits, - and _, 64 at most.")
    if not isinstance(function.get("description", ""), str):
        raise Wrong(f"The description of {name} is no text.")
    if "parameters" in function:
        _check_schema(function["parameters"], f"The parameters of {name}")
    return {**entry, "function": function}


def schema_in(text: str) -> dict[str, Any]:
    """The JSON schema of an answer; raise ``Wrong`` unless it is one of an object."""
    if not text.strip():
        raise Wrong("Write the schema that the answer is to keep to.")
    schema = _json(text)
    _check_schema(schema, "The schema")
    if not isinstance(schema, dict):
        raise Wrong("The schema is a JSON object.")
    return schema


def _check_schema(schema: object, what: str) -> None:
    if not isinstance(schema, dict):
        raise Wrong(f"{what} must be a JSON schema: an object.")
    if schema.get("type", "object") != "object":
        raise Wrong(f'{what} must have "type": "object" on top.')
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "".join(f"[{part!r}]" for part in error.absolute_path)
        raise Wrong(
            f"{what} is no JSON schema{where and f' at {where}'}: {error.message}"
        ) from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Wrong(
            f"This is no JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except RecursionError:
        raise Wrong("This JSON is nested too deeply.") from None
