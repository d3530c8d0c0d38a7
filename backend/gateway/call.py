"""One call: its request, its answer, and its usage event."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final, Literal

import structlog

from backend.budgets.owners import BudgetedCall, OwnBudget
from backend.errors import ConfigurationError, FareboxError
from backend.gateway.admission import Admitted
from backend.gateway.limits.key_limits import LimitedCall
from backend.gateway.price_labels import TIER, possible_labels, price_labels
from backend.gateway.protocols.parts.base import Asked, Document, Protocol
from backend.gateway.protocols.translation.adapters import served_as
from backend.gateway.upstreams.addresses import speaks
from backend.gateway.upstreams.provider import Provider
from backend.gateway.upstreams.targets import Target
from backend.gateway.usage import Usage
from backend.kit.origin import origin
from backend.metering.events import GATEWAY_SOURCE, AcceptedEvent
from backend.metering.tokens import Tokenizer, tokenizer_for
from backend.metering.tokens.counts import TokenCount
from backend.quotas.holds import CallUnits

_log = structlog.get_logger(__name__)

Status = Literal["completed", "aborted", "failed"]
_LONGEST_HEADER: Final = 1000


class Call:
    """A call that was admitted. ``usage`` is the provider's report, None until it arrives.

    ``targets`` are tried in their order; ``target`` is the one that was tried last. ``said`` is
    what the answer said until now, to be counted if the provider reports no usage.
    """

    def __init__(
        self,
        admitted: Admitted,
        targets: Sequence[Target],
        asked: Asked,
        event_id: str,
        *,
        is_short: bool = True,
        is_sample: bool = True,
        body_bytes: int = 0,
    ) -> None:
        """``is_short``: its prompt is counted in no time; ``is_sample``: it is, for drift."""
        self.body_bytes = body_bytes
        self.admitted = admitted
        self.targets = targets
        self.target = targets[0]
        self.attempts = 0
        self.left_out: frozenset[str] = frozenset()
        """What of the request no target gets."""
        self.dropped: tuple[str, ...] = ()
        """What of the request was not passed on to the target."""
        self.asked = asked
        self.output_cap: int | None = None
        """The longest answer in tokens if the caller wants no shorter one; None if any may be."""
        self.event_id = event_id
        self.is_short = is_short
        self._is_sample = is_sample
        self.usage: Usage | None = None
        self.answered = False
        self.error: FareboxError | None = None
        """What the caller gets instead of an answer, or of its end."""
        self.answer_document: Document | None = None
        """The whole answer; None of a stream."""
        self.refused = False
        """Whether the provider refused it for the caller's own fault."""
        self.first_token_seconds: float | None = None
        self._started = time.monotonic()
        self.said: list[str] = []
        self.began = datetime.now(UTC)
        self.request_id = origin().request_id
        self.quantities: dict[str, Decimal] = {}
        self.labels: dict[str, str] = {}
        """What its event says, once that is made."""
        self.tags: dict[str, str] = {}
        """What its caller says of it, for the labels of its event."""
        self.answer_id: str | None = None
        """The provider's own id of the answer."""
        self.asked_tier: object = None
        """The tier of service that the target was asked for."""
        self.used_tier: object = None
        """The tier of service that the provider says it used."""
        self.limited: list[LimitedCall] = []
        self.budgeted: BudgetedCall | None = None
        self.holds_quota = False
        self.holds_credit = False
        self._prompt: TokenCount | None = None

    @property
    def seconds(self) -> float:
        """How long ago the call began."""
        return time.monotonic() - self._started

    @property
    def budgets(self) -> tuple[OwnBudget, ...]:
        """The budgets that pay it: its key's, its application's, and those of its labels."""
        return tuple(own for own in self.admitted.budgets if own.owner.owns(self.tags))

    def spoken_by(self, target: Target) -> tuple[str, Protocol]:
        """Return what the target speaks, and the protocol that serves the call by it."""
        spoken = spoken_for(self.asked.protocol, target)
        if spoken is None:
            raise LookupError("a call's targets are chosen among those that can serve it")
        return spoken

    @property
    def provider(self) -> Provider:
        """The connections to the target's upstream."""
        return self.target.provider

    @property
    def own_name(self) -> str:
        """The target's own name of the model."""
        return self.target.model

    @property
    def stops_when_left(self) -> bool:
        """Whether an answer of which nothing is said yet is broken off when its caller leaves."""
        return self.target.upstream.stops_when_left

    @property
    def may_think_unseen(self) -> bool:
        """Whether more may be billed than is said, so that only a whole stream says how much."""
        hides = self.target.hides_thoughts
        return not self.stops_when_left and (self.asked.thinks if hides is None else hides)

    def possible_labels(self, prompt_tokens: int) -> list[dict[str, str]]:
        """Return the labels that its price may come to depend on, with at most such a prompt."""
        forced = (target.upstream.rules.force.get(TIER) for target in self.targets)
        return possible_labels(
            self.admitted.model,
            asked_tiers=(self.asked.document.get(TIER), *forced),
            prompt_tokens=prompt_tokens,
        )

    def heard(self) -> None:
        """Note the time of the first token, once something was said."""
        if self.first_token_seconds is None and any(self.said):
            self.first_token_seconds = self.seconds

    async def event(self, status: Status) -> AcceptedEvent:
        """Return the call's usage event.

        The provider's report bills. If it reported nothing, the prompt and the answer are counted
        here. A call that failed before any answer bills nothing, but has an event.
        """
        reported = self._reported()
        if reported is None and not self.answered and status != "aborted":
            quantities, usage_source, counted = {"requests": Decimal(0)}, "local", None
        else:
            quantities, usage_source, counted = await self._measured(reported or Usage(), status)
        labels = {"status": status, "usage_source": usage_source}
        labels |= price_labels(
            self.admitted.model,
            used_tier=self.used_tier,
            asked_tier=self.asked_tier,
            prompt_tokens=CallUnits.used(quantities).prompt_tokens,
        )
        self.quantities = quantities
        self.labels = {**self.tags, **labels, **self._trace()}
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
            upstream=self.provider.upstream.name,
            quantities=quantities,
            labels=self.labels,
            counted=counted,
        )

    def _reported(self) -> Usage | None:
        """Return the provider's report without what can't be true."""
        if self.usage is None:
            return None
        model, asked = self.admitted.model, self.asked
        output = max(model.max_output_tokens, asked.output_limit or 0) * asked.answers
        usage = self.usage.within(
            prompt=model.context_window * asked.prompts, completion=output * asked.prompts
        )
        if usage != self.usage:
            _log.warning(
                "gateway.usage_unbelievable",
                call=self.event_id,
                model=model.id,
                upstream=self.provider.upstream.name,
                reported=repr(self.usage),
            )
        return None if usage.prompt is None and usage.completion is None else usage

    async def _measured(
        self, reported: Usage, status: Status
    ) -> tuple[dict[str, Decimal], str, dict[str, Decimal] | None]:
        """Return what bills, whose count it is, and our own count for the drift.

        Of an answer that broke off, the last report may be of its beginning only: what was said
        counts if it is more.
        """
        # Where nothing is made, only the prompt is reported
        whole = reported.prompt is not None and (
            reported.completion is not None or self.asked.answers == 0
        )
        broken = status != "completed" and any(self.said)
        if whole and not broken and not self._is_compared:
            return reported.quantities(), "provider", None
        prompt, completion, exact = await self._count()
        counted = Usage(prompt, completion).quantities() if exact or not whole else None
        if whole and (not broken or (reported.completion or 0) >= completion):
            return reported.quantities(), "provider", counted
        if broken:
            reported = reported.merged(Usage(completion=completion))
        usage = reported.filled(prompt=prompt, completion=completion)
        return usage.quantities(), "local", counted

    @property
    def _is_compared(self) -> bool:
        """Whether the report is compared with a count: of a sample, and where most is counted.

        Not by the provider's own tokenizer: it would cost requests, and count the same.
        """
        sampled = self._is_sample or self._prompt is not None
        return sampled and self.admitted.model.tokenizer != "upstream"

    def _trace(self) -> dict[str, str]:
        """Return what finds the call elsewhere, and how it went, as labels."""
        labels = {"request_id": self.request_id or "", "answer_id": self.answer_id or ""}
        if self.attempts > 1:
            labels["attempts"] = str(self.attempts)
        if self.asked.stream and self.first_token_seconds is not None:
            labels["first_token_ms"] = str(round(self.first_token_seconds * 1000))
        return {name: value for name, value in labels.items() if value}

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
        texts = self.asked.texts
        if texts is None:
            return await tokenizer.count_chat(self.asked.messages, self.asked.tools)
        counts = [await tokenizer.count_text(text) for text in texts]
        return TokenCount(text=sum(counts) + self.asked.token_inputs)

    async def _count(self) -> tuple[int, int, bool]:
        """Count prompt and answer; return too whether every part has a published rule."""
        model = self.admitted.model
        try:
            return await self._count_by(self._tokenizer(model.tokenizer))
        except ConfigurationError as error:
            # Usage must be billed even while the catalog's setting is wrong.
            _log.error("gateway.tokenizer_unusable", model=model.id, detail=error.detail)
            prompt, completion, _ = await self._count_by(self._tokenizer("upstream"))
            return prompt, completion, False

    def _tokenizer(self, setting: str) -> Tokenizer:
        return tokenizer_for(setting, model=self.own_name, remote=self.provider)

    async def _count_by(self, tokenizer: Tokenizer) -> tuple[int, int, bool]:
        prompt = self._prompt or await self._count_prompt(tokenizer)
        completion = await tokenizer.count_text("".join(self.said))
        return prompt.total, completion, prompt.exact


def spoken_for(protocol: Protocol, target: Target) -> tuple[str, Protocol] | None:
    """Return what a target speaks and what serves a caller's protocol by it; None if nothing."""
    return served_as(protocol, partial(speaks, target.upstream))


def dropped_headers(call: Call) -> dict[str, str]:
    """Return the header that names what of the request was not passed on; none if all was."""
    dropped = ", ".join(name for name in call.dropped if name.isascii() and name.isprintable())
    return {"x-farebox-dropped": dropped[:_LONGEST_HEADER]} if dropped else {}
