"""Upstreams as the page shows them. Plain functions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from backend_client.types.models import Latency
from backend_client.types.upstream_health import (
    CircuitState,
    UpstreamHealth,
    UpstreamKeyTest,
    UpstreamTest,
)
from backend_client.types.upstreams import Upstream, UpstreamKeyInfo
from portal.kit.color import Color
from portal.kit.facts import FactRow
from portal.kit.formatting import ago, count

KINDS: Final = {
    "openai": "OpenAI-compatible",
    "anthropic": "Anthropic",
    "azure": "Azure OpenAI",
    "bedrock": "Amazon Bedrock",
}
IN_SETTINGS: Final = (
    "It is one of FAREBOX_UPSTREAMS, which the API was started with: it is changed there."
)
_STATES: Final[dict[CircuitState, tuple[str, Color]]] = {
    "closed": ("Works", "green"),
    "half-open": ("Being tried", "orange"),
    "open": ("Left out", "red"),
}
_SHOWN_MODELS: Final = 3
_OUTCOMES: Final = {
    "broken_off": "broke off",
    "busy": "was busy",
    "error_in_answer": "answered an error",
    "failed": "failed",
    "key_refused": "refused the key",
    "timeout": "took too long",
    "unreachable": "could not be reached",
}


@dataclass(frozen=True)
class UpstreamRow:
    """An upstream in one line; ``own`` if it can be changed here, ``warning`` what stopping it
    would leave without any upstream."""

    name: str = ""
    kind: str = ""
    address: str = ""
    models: str = ""
    order: str = ""
    state: str = ""
    color: Color = "gray"
    note: str = ""
    errors: str = ""
    first_token: str = ""
    under_way: str = ""
    last_failure: str = ""
    own: bool = False
    active: bool = False
    retired: bool = False
    warning: str = ""


@dataclass(frozen=True)
class CircuitRow:
    """A model of an upstream that is not well at a process."""

    key: str
    process: str
    model: str
    state: str
    until: str
    resting: str


@dataclass(frozen=True)
class ModelRow:
    """What was measured of one model of an upstream."""

    name: str
    own_name: str
    attempts: str
    errors: str
    first_token: str


@dataclass(frozen=True)
class UpstreamDetails:
    """All that is known of the upstream that is opened."""

    facts: list[FactRow] = field(default_factory=list)
    models: list[ModelRow] = field(default_factory=list)
    circuits: list[CircuitRow] = field(default_factory=list)


@dataclass(frozen=True)
class UpstreamEdit:
    """What the form of an upstream starts with; of keys, how many there are."""

    name: str = ""
    kind: str = "openai"
    base_url: str = ""
    models: str = ""
    priority: str = "0"
    weight: str = "1"
    max_concurrency: str = ""
    kept_keys: str = ""
    stops_when_left: bool = False
    connect_seconds: str = "10"
    first_token_seconds: str = "600"  # noqa: S105 - a time, and no credential
    idle_seconds: str = "600"
    total_seconds: str = "3600"
    allow: str = ""
    only: str = ""
    drop: str = ""
    force: str = ""
    output_limit: str = "as_sent"
    stream_usage: bool = True
    headers: str = ""
    query: str = ""
    paths: str = ""
    key_header: str = ""
    aws_region: str = ""
    aws_service: str = ""
    speaks: str = ""


def upstream_row(upstream: Upstream, now: datetime) -> UpstreamRow:
    """An upstream as the table shows it."""
    health = upstream.health
    state, color = _state(upstream)
    names = sorted(upstream.models)
    more = len(names) - _SHOWN_MODELS
    return UpstreamRow(
        name=upstream.name,
        kind=KINDS[upstream.kind],
        address=upstream.base_url,
        models=", ".join(names[:_SHOWN_MODELS]) + (f" and {more} more" if more > 0 else ""),
        order=f"Priority {upstream.priority}, weight {upstream.weight}",
        state=state,
        color=color,
        note=_note(health) if upstream.state == "active" else "",
        errors=_percent(health.error_rate),
        first_token=_latency(health.first_token),
        under_way=count(health.under_way),
        last_failure="" if health.last_failure is None else ago(health.last_failure.at, now),
        own=upstream.source == "database",
        active=upstream.state == "active",
        retired=upstream.state == "retired",
        warning=_warning(upstream.sole_models),
    )


def details_of(upstream: Upstream, now: datetime) -> UpstreamDetails:
    """All that is known of an upstream."""
    health = upstream.health
    failure = health.last_failure
    timeouts = upstream.timeouts
    rows = [
        ("Kind", KINDS[upstream.kind]),
        ("Address", upstream.base_url),
        ("Order", f"Priority {upstream.priority}, weight {upstream.weight}"),
        ("Keys", keys_text(upstream.keys)),
        ("Calls at a time", _limit(upstream.max_concurrency)),
        ("Calls now", f"{count(health.under_way)}, at {_processes(health.processes)}"),
        (
            "Times out after",
            f"{timeouts.connect_seconds:g} s to connect, {timeouts.first_token_seconds:g} s to the "
            f"first token, {timeouts.idle_seconds:g} s idle, {timeouts.total_seconds:g} s in all",
        ),
        (
            "Last failure",
            "None in two days"
            if failure is None
            else f"{ago(failure.at, now)}: {failure.model} "
            f"{_OUTCOMES.get(failure.outcome, failure.outcome)}. {failure.detail}",
        ),
    ]
    measured = {each.model: each for each in health.models}
    return UpstreamDetails(
        facts=[FactRow(name, value) for name, value in rows],
        models=[
            ModelRow(
                name=name,
                own_name="" if own_name == name else own_name,
                attempts=count(measured[own_name].attempts if own_name in measured else 0),
                errors=_percent(measured[own_name].error_rate if own_name in measured else None),
                first_token=_latency(
                    measured[own_name].first_token if own_name in measured else None
                ),
            )
            for name, own_name in sorted(upstream.models.items())
        ],
        circuits=[
            CircuitRow(
                key=f"{each.process} {each.model}",
                process=each.process,
                model=each.model,
                state=_STATES[each.state][0],
                until="" if each.until is None else _in(each.until, now),
                resting=f"{each.keys_resting} of {each.keys} rest"
                if each.keys_resting
                else "All work",
            )
            for each in health.circuits
        ],
    )


def edit_of(upstream: Upstream) -> UpstreamEdit:
    """What the form that changes an upstream starts with."""
    rules, timeouts = upstream.rules, upstream.timeouts
    signature = upstream.aws_signature
    return UpstreamEdit(
        name=upstream.name,
        kind=upstream.kind,
        base_url=upstream.base_url,
        models="\n".join(
            name if name == own_name else f"{name} = {own_name}"
            for name, own_name in upstream.models.items()
        ),
        priority=str(upstream.priority),
        weight=str(upstream.weight),
        max_concurrency="" if upstream.max_concurrency is None else str(upstream.max_concurrency),
        kept_keys=keys_text(upstream.keys),
        stops_when_left=upstream.stops_when_left,
        connect_seconds=f"{timeouts.connect_seconds:g}",
        first_token_seconds=f"{timeouts.first_token_seconds:g}",
        idle_seconds=f"{timeouts.idle_seconds:g}",
        total_seconds=f"{timeouts.total_seconds:g}",
        allow=", ".join(rules.allow),
        only="" if rules.only is None else ", ".join(rules.only),
        drop=", ".join(rules.drop),
        force=json.dumps(rules.force) if rules.force else "",
        output_limit=rules.output_limit or "as_sent",
        stream_usage=rules.stream_usage,
        headers=_lines(upstream.headers),
        query=_lines(upstream.query),
        paths=_lines(upstream.paths),
        key_header=upstream.key_header or "",
        aws_region="" if signature is None else signature.region,
        aws_service="" if signature is None else signature.service,
        speaks="" if upstream.speaks is None else ", ".join(upstream.speaks),
    )


def outcome_text(tested: UpstreamTest) -> str:
    """How a test went, in a sentence or two."""
    status = "No answer" if tested.status is None else f"Status {tested.status}"
    detail = f" It said: {tested.detail}" if tested.detail else ""
    return f"{status} after {tested.seconds:.2f} s from {tested.model} ({tested.protocol}).{detail}"


@dataclass
class TestedKey:
    """How a test went with one of several keys."""

    name: str
    works: bool
    text: str


def key_outcomes(tested: UpstreamTest) -> list[TestedKey]:
    """How a test went with each key, where there are several."""
    if len(tested.keys) < 2:
        return []
    return [
        TestedKey(
            f"Key {place}, {_key_text(key)}",
            key.went_well,
            f"Works ({key.seconds:.2f} s)" if key.went_well else key.detail,
        )
        for place, key in enumerate(tested.keys, start=1)
    ]


def keys_text(keys: list[UpstreamKeyInfo]) -> str:
    """Which keys there are, as far as that can be shown."""
    if not keys:
        return "None"
    return ", ".join(map(_key_text, keys))


def _key_text(key: UpstreamKeyInfo | UpstreamKeyTest) -> str:
    return key.environment or (f"•••• {key.last_four}" if key.last_four else "••••")


def _state(upstream: Upstream) -> tuple[str, Color]:
    if upstream.state == "disabled":
        return "Disabled", "gray"
    if upstream.state == "retired":
        return "Retired", "gray"
    if not upstream.health.processes:
        return "Not in use yet", "gray"
    return _STATES[upstream.health.state]


def _note(health: UpstreamHealth) -> str:
    if not health.circuits:
        return ""
    models = sorted({each.model for each in health.circuits})
    places = len({each.process for each in health.circuits})
    return f"{', '.join(models[:_SHOWN_MODELS])}: at {places} of {_processes(health.processes)}"


def _warning(sole_models: list[str]) -> str:
    if not sole_models:
        return ""
    models = ", ".join(sole_models)
    return f"No other upstream serves {models}: calls for that would be refused."


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{count(number)} processes"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"


def _latency(latency: Latency | None) -> str:
    return "–" if latency is None else f"{latency.p50:g} s, p95 {latency.p95:g} s"


def _limit(most: int | None) -> str:
    return "No limit" if most is None else f"{count(most)} at each process"


def _in(moment: datetime, now: datetime) -> str:
    return f"in {max(0, round((moment - now).total_seconds()))} s"


def _lines(values: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items())
