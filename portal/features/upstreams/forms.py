"""What the form of an upstream asks for. Plain functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from backend_client.types.upstreams import KEY_VARIABLE, UpstreamPut
from portal.kit.form_problems import FormProblems, checked, text_of

FIELDS: Final = (
    *("name", "kind", "base_url", "models", "priority", "weight", "max_concurrency", "keys"),
    *("connect_seconds", "first_token_seconds", "idle_seconds", "total_seconds"),
    *("allow", "only", "drop", "force", "headers", "query", "paths", "key_header", "speaks"),
    *("aws_region", "aws_service"),
    "form",
)
NO_PROBLEMS: Final = dict.fromkeys(FIELDS, "")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HINTS: Final = {
    "aws_region": "Such as us-east-1.",
    "aws_service": "Such as bedrock.",
    "max_concurrency": "A whole number from 1 up, or nothing.",
    "models": "A line for each model, such as fast or fast = provider-model.",
    "priority": "A whole number from 0 to 1000.",
    "weight": "A whole number from 1 to 1000.",
} | dict.fromkeys(
    ("connect_seconds", "first_token_seconds", "idle_seconds", "total_seconds"),
    "Seconds, more than 0 and at most a day.",
)


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """Problems by the fields of the form; those of rules and timeouts are named by their ends."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        parts = path.split(".")
        own = f"aws_{parts[-1]}" if parts[0] == "aws_signature" else ""
        name = next((part for part in (own, *parts[:2]) if part in FIELDS), "form")
        problems.setdefault(name, _HINTS.get(name, detail))
    return problems


def name_from_form(form: Mapping[str, Any]) -> str:
    """The name of a new upstream; raises ``FormProblems``."""
    name = text_of(form, "name")
    if not _NAME.fullmatch(name):
        hint = "Letters, digits, dots, dashes and underscores; a letter or a digit first."
        raise FormProblems({"name": hint})
    return name


def upstream_from_form(form: Mapping[str, Any]) -> UpstreamPut:
    """The upstream that the form asks for; raises ``FormProblems``.

    Without a key it keeps those that it has.
    """
    problems: dict[str, str] = {}
    only, speaks = _words(form, "only"), _words(form, "speaks")
    output_limit = text_of(form, "output_limit")
    values: dict[str, Any] = {
        "kind": text_of(form, "kind") or "openai",
        "base_url": text_of(form, "base_url"),
        "models": _pairs(form, "models", "=", problems, alone=True),
        "priority": text_of(form, "priority") or 0,
        "weight": text_of(form, "weight") or 1,
        "max_concurrency": text_of(form, "max_concurrency") or None,
        "stops_when_left": bool(form.get("stops_when_left")),
        "timeouts": {
            name: written
            for name in ("connect_seconds", "first_token_seconds", "idle_seconds", "total_seconds")
            if (written := text_of(form, name))
        },
        "rules": {
            "allow": _words(form, "allow"),
            "only": only or None,
            "drop": _words(form, "drop"),
            "force": _object(form, "force", problems),
            "output_limit": None if output_limit in ("", "as_sent") else output_limit,
            "stream_usage": bool(form.get("stream_usage")),
        },
        "headers": _pairs(form, "headers", ":", problems),
        "query": _pairs(form, "query", ":", problems),
        "paths": _pairs(form, "paths", ":", problems),
        "key_header": text_of(form, "key_header") or None,
        "speaks": speaks or None,
        "aws_signature": _signature(form),
        "keys": _keys(form),
    }
    if not values["models"]:
        problems.setdefault("models", _HINTS["models"])
    return checked(UpstreamPut, values, problems, by_field)


def _signature(form: Mapping[str, Any]) -> dict[str, str] | None:
    """What calls are signed for; None if they are not."""
    region, service = text_of(form, "aws_region"), text_of(form, "aws_service")
    named = {"region": region} if region or service else {}
    return {**named, **({"service": service} if service else {})} or None


def _keys(form: Mapping[str, Any]) -> list[dict[str, str]] | None:
    """The keys that were written, a line each; none if they go, None if those kept stay."""
    written = [line.strip() for line in text_of(form, "keys").splitlines() if line.strip()]
    if not written:
        return [] if form.get("no_keys") else None
    return [{"environment" if re.match(KEY_VARIABLE, key) else "secret": key} for key in written]


def _words(form: Mapping[str, Any], name: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text_of(form, name)) if word]


def _pairs(
    form: Mapping[str, Any],
    name: str,
    between: str,
    problems: dict[str, str],
    *,
    alone: bool = False,
) -> dict[str, str]:
    """Names and values, a line each; ``alone`` if a name may stand for its value too."""
    pairs: dict[str, str] = {}
    for line in text_of(form, name).splitlines():
        first, mark, second = (part.strip() for part in line.partition(between))
        if not first and not mark:
            continue
        if not first or (not second and not alone):
            problems[name] = f"Write each line as name{between} value."
        pairs[first] = second or first
    return pairs


def _object(form: Mapping[str, Any], name: str, problems: dict[str, str]) -> dict[str, Any]:
    written = text_of(form, name)
    if not written:
        return {}
    try:
        value = json.loads(written)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        problems[name] = 'Write a JSON object, such as {"temperature": 0}.'
        return {}
    return value
