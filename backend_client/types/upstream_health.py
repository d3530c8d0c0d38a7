"""How upstreams fare: what each process of the gateway finds, and what was measured."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from backend_client.types.common import Answer, Instant, Wire
from backend_client.types.events import Name
from backend_client.types.models import Latency

CircuitState: TypeAlias = Literal["closed", "half-open", "open"]
"""Closed lets calls through, open lets none, half-open lets one through, which decides."""


class UpstreamCircuit(Answer):
    """An upstream's model that is not well at a process, or has a key that is not."""

    process: str = Field(description="The machine and the number of the process that found it")
    model: str = Field(description="As customers name it")
    state: CircuitState = Field(
        description="`open` lets no call through, `half-open` a single one, which decides; "
        "`closed` all."
    )
    until: Instant | None = Field(description="When a call finds out whether it is well again")
    keys: int = Field(description="How many keys the upstream has")
    keys_resting: int = Field(description="How many of them are left out of calls now")


class UpstreamFailure(Answer):
    """An attempt that failed for what the provider, or the operator, has to mend."""

    at: Instant = Field(description="When it failed.")
    model: str = Field(description="The upstream's own name")
    outcome: str = Field(description="As on `/metrics`, such as `timeout` or `key_refused`")
    detail: str = Field(description="What the provider answered, or why there was no answer.")


class UpstreamModelHealth(Answer):
    """What was measured of one model of an upstream in the last hour."""

    model: str = Field(description="The upstream's own name")
    attempts: int = Field(description="How many requests were sent to it.")
    error_rate: float | None = Field(description="From 0 to 1; null without an attempt")
    first_token: Latency | None = Field(description="Of streamed answers")


class UpstreamHealth(Answer):
    """How an upstream fares, by all processes of the gateway.

    ``state`` is the worst of any model at any process. What was measured is of the last hour, and
    some seconds old.
    """

    state: CircuitState = Field(
        description="The worst of any model at any process: `closed` lets calls through, "
        "`open` none, `half-open` a single one."
    )
    processes: int = Field(description="How many processes send calls to it")
    under_way: int = Field(description="Calls that it has now")
    attempts: int = Field(description="How many requests were sent to it in the last hour.")
    failed: int = Field(
        description="How many of these failed for what the provider or the operator has to mend."
    )
    error_rate: float | None = Field(description="From 0 to 1; null without an attempt")
    first_token: Latency | None = Field(description="Of streamed answers")
    models: list[UpstreamModelHealth] = Field(description="Those that were called")
    circuits: list[UpstreamCircuit] = Field(description="What is not well")
    last_failure: UpstreamFailure | None = Field(description="Of the last two days")


class UpstreamStop(Wire):
    """That an upstream shall take no more calls."""

    leave_unserved: bool = Field(
        False, description="Also if models are left that no other upstream serves"
    )


TestProtocol: TypeAlias = Literal[
    "chat", "messages", "responses", "completions", "embeddings", "moderations"
]


class UpstreamTestRequest(Wire):
    """What an upstream is tested with: a call of one word, with a short answer."""

    model: Name | None = Field(
        None, description="As customers name it; without it, the first by name"
    )
    protocol: TestProtocol | None = Field(
        None, description="Without it, the first of these that the upstream serves"
    )


class UpstreamKeyTest(Answer):
    """How a call went that was sent to an upstream with one of its keys."""

    environment: str | None = Field(description="The variable that the key is read from")
    last_four: str | None = Field(description="Of a key that is kept here, if it is long enough")
    went_well: bool = Field(description="Whether the answer is what such a call should get.")
    status: int | None = Field(description="Of the answer, if one came")
    seconds: float = Field(description="How long it took.")
    detail: str = Field(description="What was answered, or why there was none")


class UpstreamTest(Answer):
    """How calls went that were sent to an upstream to test it, one with each of its keys.

    ``status``, ``seconds`` and ``detail`` are those of the first that failed, or else of the first.
    ``keys`` are in the order of the upstream's; of one without keys there are none.
    """

    went_well: bool = Field(description="Whether each answer is what such a call should get.")
    model: str = Field(description="The upstream's own name")
    protocol: str = Field(description="Such as `chat`")
    status: int | None = Field(description="Of the answer, if one came")
    seconds: float = Field(description="How long it took.")
    detail: str = Field(description="What was answered, or why there was none")
    keys: list[UpstreamKeyTest] = Field(
        description="How the call with each key went; empty for an upstream without keys"
    )
