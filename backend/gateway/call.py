"""One call: its request, its answer, and its usage event."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import orjson
import structlog

from backend.errors import ConfigurationError
from backend.gateway.accounting import ReportedUsage, measured
from backend.gateway.admission import Admitted
from backend.gateway.errors import InvalidRequest
from backend.gateway.limits import LimitedCall
from backend.gateway.upstreams import Provider
from backend.metering.events import GATEWAY_SOURCE, AcceptedEvent
from backend.metering.tokens import Tokenizer, tokenizer_for
from backend.metering.tokens.counts import TokenCount
from backend_client.types.problems import FieldError

_log = structlog.get_logger(__name__)

_MOST_ANSWERS = 128
Status = Literal["completed", "aborted", "failed"]


def parse_request(body: bytes) -> dict[str, Any]:
    """Return a chat completion's request; raise ``InvalidRequest`` naming the parameter."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}") from error
    if not isinstance(request, dict):
        raise InvalidRequest("The body must be a JSON object.")
    if not isinstance(request.get("model"), str):
        raise _wrong("model", "must be the name of a model")
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise _wrong("messages", "must be an array of messages")
    if not messages:
        raise _wrong("messages", "must hold at least one message")
    if not isinstance(request.get("stream", False), bool | None):
        raise _wrong("stream", "must be true or false")
    if not isinstance(request.get("stream_options", {}), dict | None):
        raise _wrong("stream_options", "must be an object")
    answers = request.get("n")
    if answers is not None and (type(answers) is not int or not 1 <= answers <= _MOST_ANSWERS):
        raise _wrong("n", f"must be a whole number from 1 to {_MOST_ANSWERS}")
    try:
        orjson.dumps(request)
    except orjson.JSONEncodeError as error:
        # Deeper JSON can be parsed than can be written again
        raise InvalidRequest("The body is nested too deeply.") from error
    return request


def _wrong(parameter: str, detail: str) -> InvalidRequest:
    return InvalidRequest(
        f"{parameter} {detail}.", errors=[FieldError(field=parameter, detail=detail)]
    )


class Call:
    """A call that was admitted. ``usage`` is the provider's report, None until it arrives."""

    def __init__(
        self, admitted: Admitted, provider: Provider, request: dict[str, Any], event_id: str
    ) -> None:
        self.admitted = admitted
        self.provider = provider
        self.request = request
        self.event_id = event_id
        self.usage: ReportedUsage | None = None
        self.answered = False
        self._answer: list[str] = []
        self.began = datetime.now(UTC)
        self.limited: list[LimitedCall] = []
        self.holds_quota = False
        self.holds_credit = False
        self._prompt: TokenCount | None = None

    def add_answer(self, delta: object) -> None:
        """Keep a part of the answer, to be counted if the provider reports no usage."""
        self.answered = True
        if not isinstance(delta, dict):
            return
        for member in ("content", "reasoning_content", "refusal"):
            if isinstance(delta.get(member), str):
                self._answer.append(delta[member])
        tool_calls = delta.get("tool_calls")
        for tool_call in tool_calls if isinstance(tool_calls, list) else []:
            function = tool_call.get("function") if isinstance(tool_call, dict) else None
            if isinstance(function, dict):
                self._answer += [
                    part
                    for part in (function.get("name"), function.get("arguments"))
                    if isinstance(part, str)
                ]

    async def event(self, status: Status) -> AcceptedEvent:
        """Return the call's usage event.

        The provider's report bills. If it reported nothing, the prompt and the answer are counted
        here. A call that failed before any answer bills nothing, but has an event.
        """
        counted: dict[str, Decimal] | None = None
        if self.usage is not None:
            quantities, origin = self.usage.quantities(), "provider"
            # Not by the provider's own tokenizer: it would cost requests, and count the same.
            if self.admitted.model.tokenizer != "upstream":
                own_count, exact = await self._count()
                counted = own_count if exact else None
        elif self.answered or status == "aborted":
            quantities, _ = await self._count()
            origin, counted = "local", quantities
        else:
            quantities, origin = {"requests": Decimal(0)}, "local"
        caller = self.admitted.caller
        return AcceptedEvent(
            tenant_id=caller.tenant_id,
            sender="gateway",
            source=GATEWAY_SOURCE,
            id=self.event_id,
            time=self.began,
            received_at=datetime.now(UTC),
            application_id=self.admitted.application_id,
            key_id=caller.id if caller.kind == "key" else "",
            model=self.admitted.model.id,
            quantities=quantities,
            labels={"status": status, "usage_source": origin},
            counted=counted,
        )

    async def counted_prompt(self) -> TokenCount | None:
        """Count the prompt, unless that needs a request to the provider; then None."""
        if self._prompt is None and self.admitted.model.tokenizer != "upstream":
            try:
                tokenizer = self._tokenizer(self.admitted.model.tokenizer)
                self._prompt = await self._count_prompt(tokenizer)
            except ConfigurationError as error:
                _log.error("gateway.tokenizer_unusable", detail=error.detail)
        return self._prompt

    async def _count_prompt(self, tokenizer: Tokenizer) -> TokenCount:
        tools = self.request.get("tools")
        offered = (
            [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
        )
        return await tokenizer.count_chat(self.request["messages"], offered)

    async def _count(self) -> tuple[dict[str, Decimal], bool]:
        """Count prompt and answer; return whether every part has a published rule."""
        model = self.admitted.model
        try:
            return await self._count_by(self._tokenizer(model.tokenizer))
        except ConfigurationError as error:
            # Usage must be billed even while the catalog's setting is wrong.
            _log.error("gateway.tokenizer_unusable", model=model.id, detail=error.detail)
            return (await self._count_by(self._tokenizer("upstream")))[0], False

    def _tokenizer(self, setting: str) -> Tokenizer:
        return tokenizer_for(setting, model=self.request["model"], remote=self.provider)

    async def _count_by(self, tokenizer: Tokenizer) -> tuple[dict[str, Decimal], bool]:
        prompt = self._prompt or await self._count_prompt(tokenizer)
        said = await tokenizer.count_text("".join(self._answer))
        return measured({"input_tokens": prompt.total, "output_tokens": said}), prompt.exact
