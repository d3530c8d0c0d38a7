"""A call's attempts: one target after another until one answers, within the call's total time.

An attempt is over, and the next may begin, until something of its answer was passed on. So a caller
has one answer, of one provider, and pays for that alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import httpx

from backend.errors import FareboxError
from backend.gateway.attempts.attempt import Attempt, AttemptFailed
from backend.gateway.attempts.incoming import Incoming, begin_stream
from backend.gateway.attempts.refusals import failed, timed_out, unreachable
from backend.gateway.call import Call
from backend.gateway.errors import UpstreamBusy, UpstreamFailed
from backend.gateway.protocols.parts.base import Answered
from backend.gateway.upstreams.metrics import UpstreamMetrics
from backend.gateway.upstreams.targets import Target, TargetKey

MOST_ATTEMPTS: Final = 8
"""Of one call: beyond them, another would hardly help."""
_BUSY_SECONDS: Final = 1.0

Result = TypeVar("Result")
Way = Callable[[Call, Attempt], Awaitable[Result]]


class Attempts:
    """Sends calls to their targets; the health that it finds is this process's."""

    def __init__(self, metrics: UpstreamMetrics) -> None:
        self._metrics = metrics

    async def ask(self, call: Call) -> Answered:
        """Return a whole answer.

        Raises ``UpstreamRefused``, ``UpstreamBusy`` or ``UpstreamFailed``.
        """
        return await self._first_good(call, _whole)

    async def open(self, call: Call) -> Incoming:
        """Return a streamed answer of which something has come; raises as ``ask`` does."""
        return await self._first_good(call, _begun)

    async def _first_good(self, call: Call, way: Way[Result]) -> Result:
        failures: list[AttemptFailed] = []
        tried: set[Target | TargetKey] = set()
        while len(failures) < MOST_ATTEMPTS:
            choice = _choose(call, tried, is_first=not failures)
            if choice is None:
                break
            target, key = choice
            call.target, call.attempts = target, call.attempts + 1
            try:
                return await self._try(call, Attempt(target, key, self._metrics), way)
            except AttemptFailed as failure:
                failures.append(failure)
                if failure.blames == "caller":
                    break
                tried.add(key if failure.blames == "key" else target)
        raise _most_useful([failure.error for failure in failures]) from (
            failures[-1] if failures else None
        )

    async def _try(self, call: Call, attempt: Attempt, way: Way[Result]) -> Result:
        attempt.begin()
        timeouts = attempt.target.upstream.timeouts
        seconds = min(timeouts.first_token_seconds, timeouts.total_seconds - call.seconds)
        try:
            async with asyncio.timeout(seconds):
                return await way(call, attempt)
        except AttemptFailed as failure:
            attempt.fail(failure)
            raise
        except TimeoutError as error:
            late = AttemptFailed(timed_out(call), "target", "timeout")
            attempt.fail(late)
            raise late from error
        except httpx.HTTPError as error:
            lost = AttemptFailed(unreachable(call, error), "target", "unreachable")
            attempt.fail(lost)
            raise lost from error
        except BaseException:
            attempt.leave()  # the caller has gone, which says nothing of the target
            raise


async def _whole(call: Call, attempt: Attempt) -> Answered:
    content = await attempt.whole(call)
    _, protocol = call.spoken_by(attempt.target)
    answered = protocol.answer(call.asked, content)
    if answered.failure is not None:
        raise AttemptFailed(failed(call, answered.failure), "target", "error_in_answer")
    attempt.succeed()
    return answered


async def _begun(call: Call, attempt: Attempt) -> Incoming:
    response = await attempt.send(call)
    try:
        return await begin_stream(call, attempt, response)
    except BaseException:
        await response.aclose()
        raise


def _choose(
    call: Call, tried: set[Target | TargetKey], *, is_first: bool
) -> tuple[Target, TargetKey] | None:
    """Return what to try next, None if nothing is left; raises ``UpstreamBusy``.

    Where no target is well, the one that will be soonest is tried all the same, once: its pause is
    a guess of ours. Where the providers themselves asked for it, the caller is told to wait.
    """
    now = time.monotonic()
    left = [
        target
        for target in call.targets
        if target not in tried and target.upstream.timeouts.total_seconds > call.seconds
    ]
    free = [target for target in left if not target.is_full]
    for target in free:
        if target.circuit.state(now) != "open":
            key = target.key(now, tried)
            if key is not None:
                return target, key
    if not is_first or not left:
        return None
    if not free:
        raise UpstreamBusy(retry_after_seconds=_BUSY_SECONDS)
    soonest = min(free, key=lambda target: target.wait_seconds(now))
    if soonest.asked_to_wait:
        raise UpstreamBusy(retry_after_seconds=soonest.wait_seconds(now))
    return soonest, min(soonest.keys, key=lambda key: key.circuit.wait_seconds(now))


def _most_useful(errors: Sequence[FareboxError]) -> FareboxError:
    """Return the error that says most to the caller, of all attempts.

    A refusal of the request is final; that a provider is busy says when to come again, and another
    that fails by itself says nothing.
    """
    if not errors:
        return UpstreamFailed("The model provider did not answer in time.")
    last = errors[-1]
    if not isinstance(last, UpstreamBusy | UpstreamFailed):
        return last
    busy = [error for error in errors if isinstance(error, UpstreamBusy)]
    if busy:
        return min(busy, key=lambda error: error.retry_after_seconds)
    # One that may be well again is reason enough to come again
    mendable = [error for error in errors if isinstance(error, UpstreamFailed) and error.may_pass]
    return mendable[-1] if mendable else last
