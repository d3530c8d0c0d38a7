"""One attempt: a request that is sent to one target with one of its keys."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final, Literal

import structlog

from backend.errors import FareboxError
from backend.gateway.attempts.refusals import Refusal, refusal
from backend.gateway.call import Call
from backend.gateway.connections.pool import Answer
from backend.gateway.errors import UpstreamFailed
from backend.gateway.price_labels import TIER
from backend.gateway.protocols.parts.base import Forwarding
from backend.gateway.upstreams.addresses import address, headers
from backend.gateway.upstreams.metrics import Outcome, UpstreamMetrics
from backend.gateway.upstreams.rules import BETA_HEADER, apply_beta_rules, apply_rules
from backend.gateway.upstreams.signing import KeyUnusable, signed
from backend.gateway.upstreams.targets import Target, TargetKey

_log = structlog.get_logger(__name__)

LONGEST_ANSWER_BYTES: Final = 256 * 1024 * 1024
_LONGEST_REFUSAL_BYTES: Final = 1024 * 1024


class AttemptFailed(Exception):
    """An attempt came to nothing; ``error`` is what the caller gets if no other is better.

    ``blames`` says what the next attempt has to avoid: the ``target``, its ``key``; the ``route``,
    which is the target for this call alone and says nothing of its health; or the ``caller``, whose
    request no other would take either. ``retry_after`` is in seconds; ``was_sent`` is whether
    anything reached the target, which says that it is there.
    """

    def __init__(
        self,
        error: FareboxError,
        blames: Literal["target", "key", "route", "caller"],
        outcome: Outcome,
        *,
        retry_after: float | None = None,
        was_sent: bool = True,
    ) -> None:
        super().__init__(error.detail)
        self.error = error
        self.blames = blames
        self.outcome = outcome
        self.retry_after = retry_after
        self.was_sent = was_sent


class Attempt:
    """``begin`` it once; the first of ``succeed``, ``fail`` and ``leave`` ends it."""

    def __init__(self, target: Target, key: TargetKey, metrics: UpstreamMetrics) -> None:
        self.target = target
        self._key = key
        self._metrics = metrics
        self._began = time.monotonic()
        self._under_way = False
        self._first_token_seconds: float | None = None
        """How long the answer took to begin, until that is noted."""

    def begin(self) -> None:
        """Take a place among the upstream's calls."""
        self._under_way = True
        self.target.provider.under_way += 1
        self.target.circuit.begin()
        self._key.circuit.begin()

    async def send(self, call: Call) -> Answer:
        """Send the call; return its answer, unread, which the caller of this closes.

        Raises ``AttemptFailed`` for a status that is no success, and httpx's errors.
        """
        upstream = self.target.upstream
        spoken, protocol = call.spoken_by(self.target)
        document, dropped = apply_rules(
            upstream.rules, call.asked.document, implied=protocol.implied
        )
        forwarding = Forwarding(
            self.target.model,
            call.output_cap,
            upstream.rules.output_limit or "max_completion_tokens",
            upstream.rules.stream_usage,
        )
        passed = {
            name: call.asked.headers[name]
            for name in protocol.headers
            if name in call.asked.headers
        }
        if BETA_HEADER in passed:
            betas, left_out = apply_beta_rules(upstream.rules, passed.pop(BETA_HEADER))
            dropped += left_out
            if betas:
                passed[BETA_HEADER] = betas
        call.dropped = tuple(sorted(call.left_out.union(dropped)))
        call.asked_tier = document.get(TIER)
        asked = call.asked
        # To compare costs little where their members are the same objects; 1 equals true
        if upstream.rules.force or document != asked.document:
            asked = replace(asked, document=document)
        body, content_type = protocol.encode(call.asked, protocol.forward(asked, forwarding))
        url = address(upstream, spoken, protocol.path, self.target.model)
        secret = self._key.secret
        sent = {**passed, **headers(upstream, secret), "content-type": content_type}
        try:
            with_key = await signed(upstream, secret, url, sent, body)
        except KeyUnusable as error:
            raise _unusable(call, error) from error
        response = await self.target.provider.send(url, with_key, body)
        if response.is_success:
            return response
        try:
            content = await read_body(response, _LONGEST_REFUSAL_BYTES)
        finally:
            await response.aclose()
        raise _failed(refusal(call, response, content))

    async def whole(self, call: Call) -> bytes:
        """Send the call and return the whole answer; raises as ``send`` does."""
        response = await self.send(call)
        try:
            return await read_body(response, LONGEST_ANSWER_BYTES)
        finally:
            await response.aclose()

    def first_token(self) -> None:
        """Take the time at which the answer has begun."""
        self._first_token_seconds = time.monotonic() - self._began

    def note_first_token(self) -> None:
        """Note how long the answer took to begin, once its beginning has been passed on."""
        seconds, self._first_token_seconds = self._first_token_seconds, None
        if seconds is not None:
            self._metrics.first_token(self.target, seconds)

    def succeed(self) -> None:
        """Note that the target answered well."""
        if self._end("answered"):
            self.target.circuit.succeed()
            self._key.circuit.succeed()

    def fail(self, failure: AttemptFailed) -> None:
        """Note that the attempt came to nothing, and whose fault that was."""
        if not self._end(failure.outcome, failure.error.detail):
            return
        now = time.monotonic()
        target, key = self.target.circuit, self._key.circuit
        if failure.blames == "target":
            target.fail(now, retry_after=failure.retry_after)
            key.leave()
        elif failure.blames == "key":
            if failure.was_sent:
                target.succeed()  # it answered, so the target itself is well
            else:
                target.leave()
            key.fail(now, retry_after=failure.retry_after)
        elif failure.blames == "route":
            target.leave()
            key.leave()
        else:
            target.succeed()
            key.succeed()

    def leave(self) -> None:
        """Note that the caller broke the attempt off."""
        if self._end("left"):
            self.target.circuit.leave()
            self._key.circuit.leave()

    def _end(self, outcome: Outcome, detail: str = "") -> bool:
        """Give the place back; return whether it was still held."""
        if not self._under_way:
            return False
        self._under_way = False
        self.target.provider.under_way -= 1
        self._metrics.ended(self.target, outcome, detail)
        return True


def _unusable(call: Call, error: KeyUnusable) -> AttemptFailed:
    """Return the failure of a key that can't be used: no other key or target is worse for it."""
    _log.error(
        "gateway.upstream_key_unusable", upstream=call.provider.upstream.name, why=str(error)
    )
    failure = UpstreamFailed("The model provider could not be asked.", may_pass=False)
    return AttemptFailed(failure, "key", "key_refused", was_sent=False)


def _failed(refused: Refusal) -> AttemptFailed:
    if refused.concerns == "caller":
        return AttemptFailed(refused.error, "caller", "refused")
    if refused.concerns == "limit":
        return AttemptFailed(refused.error, "key", "busy", retry_after=refused.retry_after)
    if refused.concerns == "key":
        # No word of a pause: it is ours, so that the last key of all is tried nevertheless
        return AttemptFailed(refused.error, "key", "key_refused")
    if refused.concerns == "route":
        return AttemptFailed(refused.error, "route", "failed")
    return AttemptFailed(refused.error, "target", "failed", retry_after=refused.retry_after)


async def read_body(response: Answer, most: int) -> bytes:
    """Return a body; raises ``AttemptFailed`` for one of more than ``most`` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > most:
            error = UpstreamFailed("The model provider's answer is too long.")
            raise AttemptFailed(error, "target", "failed")
        parts.append(part)
    return b"".join(parts)
