"""Calls of one word that tell whether an upstream works: not metered, and nobody's but ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import orjson

from backend.gateway.attempts.attempt import AttemptFailed, read_body
from backend.gateway.connections.pool import Answer
from backend.gateway.errors import UpstreamCannotBeTested
from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.completions import COMPLETIONS
from backend.gateway.protocols.embeddings import EMBEDDINGS
from backend.gateway.protocols.messages import MESSAGES
from backend.gateway.protocols.moderations import MODERATIONS
from backend.gateway.protocols.parts.base import EMPTY, Asked, Forwarding, Protocol
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.upstreams.addresses import address, headers, speaks
from backend.gateway.upstreams.provider import Provider
from backend.gateway.upstreams.rules import apply_rules
from backend.gateway.upstreams.signing import KeyUnusable, signed
from backend.gateway.upstreams.stored import PooledKey
from backend.settings import Upstream
from backend_client.types.upstream_health import UpstreamKeyTest, UpstreamTest
from backend_client.types.upstreams import UpstreamKeyInfo

_Said = tuple[int | None, bool, str]
"""An answer's status, whether it is a good one, and what it says."""
_LONGEST_SECONDS: Final = 25.0
"""Clients wait for 30 by themselves."""
_TOKENS: Final = 16
"""The fewest that OpenAI's responses take as a limit."""
_MOST_BYTES: Final = 1024 * 1024
_SHOWN: Final = 300
_MESSAGES: Final = [{"role": "user", "content": "Hi"}]

_QUESTIONS: Final[tuple[tuple[Protocol, Mapping[str, Any]], ...]] = (
    (CHAT, {"messages": _MESSAGES}),
    (MESSAGES, {"messages": _MESSAGES, "max_tokens": _TOKENS}),
    (RESPONSES, {"input": "Hi"}),
    (COMPLETIONS, {"prompt": "Hi"}),
    (EMBEDDINGS, {"input": "Hi"}),
    (MODERATIONS, {"input": "Hi"}),
)
"""What is asked by each protocol, of which the first that an upstream speaks is taken."""


_AT_ONCE: Final = 5
_NOT_ASKED: Final[_Said] = (
    None,
    False,
    "It was not tried: the keys before it took all the time of the test.",
)
_NO_KEY: Final = PooledKey(UpstreamKeyInfo(environment=None, last_four=None), None)


async def probe(
    upstream: Upstream, keys: Sequence[PooledKey], model: str | None, protocol: str | None
) -> UpstreamTest:
    """Return how calls to an upstream go, one by each key; ``model`` is the customers' name of one.

    Raises ``UpstreamCannotBeTested`` for a model or a protocol that it does not serve.
    """
    chosen = model if model is not None else min(upstream.models, default=None)
    if chosen is None or chosen not in upstream.models:
        raise UpstreamCannotBeTested("model", f"is none that {upstream.name!r} serves")
    asked = _question(upstream, chosen, protocol)
    provider = Provider(upstream)
    until = time.monotonic() + min(_LONGEST_SECONDS, upstream.timeouts.total_seconds)
    turn = asyncio.Semaphore(_AT_ONCE)
    own_name = upstream.models[chosen]

    async def outcome(key: PooledKey) -> UpstreamKeyTest:
        if keys and key.secret is None:
            return _outcome(key, upstream, 0, (None, False, "It can't be had: set it again."))
        async with turn:
            began = time.monotonic()
            if began >= until:
                return _outcome(key, upstream, 0, _NOT_ASKED)
            result = await _result_of(provider, asked, own_name, key.secret, until - began)
            return _outcome(key, upstream, time.monotonic() - began, result)

    try:
        outcomes = await asyncio.gather(*map(outcome, keys or [_NO_KEY]))
    finally:
        await provider.close()
    worst = next((each for each in outcomes if not each.went_well), outcomes[0])
    return UpstreamTest(
        went_well=worst.went_well,
        model=own_name,
        protocol=asked.protocol.name,
        status=worst.status,
        seconds=worst.seconds,
        detail=worst.detail,
        keys=outcomes if keys else [],
    )


async def _result_of(
    provider: Provider, asked: Asked, own_name: str, key: str | None, seconds: float
) -> _Said:
    try:
        async with asyncio.timeout(seconds):
            return await _asked(provider, asked, own_name, key)
    except TimeoutError:
        return None, False, f"It did not answer within {seconds:.1f} seconds."
    except KeyUnusable as error:
        return None, False, f"It could not be asked: the key {error}."
    except httpx.HTTPError as error:
        return None, False, f"It could not be reached: {error}"
    except AttemptFailed as error:
        return None, False, str(error)


def _outcome(key: PooledKey, upstream: Upstream, seconds: float, result: _Said) -> UpstreamKeyTest:
    status, went_well, detail = result
    return UpstreamKeyTest(
        environment=key.info.environment,
        last_four=key.info.last_four,
        went_well=went_well,
        status=status,
        seconds=round(seconds, 3),
        detail=_without_keys(upstream, detail)[:_SHOWN],
    )


def _question(upstream: Upstream, model: str, protocol: str | None) -> Asked:
    for spoken, question in _QUESTIONS:
        if (protocol is None or spoken.name == protocol) and speaks(upstream, spoken.name):
            return spoken.read(orjson.dumps({"model": model, **question}))
    raise UpstreamCannotBeTested("protocol", f"is none by which {upstream.name!r} can be asked")


async def _asked(provider: Provider, asked: Asked, own_name: str, key: str | None) -> _Said:
    """Return the answer's status, whether it is a good one, and what it says."""
    upstream, protocol = provider.upstream, asked.protocol
    document, _ = apply_rules(upstream.rules, asked.document, implied=protocol.implied)
    limit = upstream.rules.output_limit or "max_completion_tokens"
    request = protocol.forward(
        Asked(protocol, document, asked.model, stream=False, output_limit=asked.output_limit),
        Forwarding(own_name, _TOKENS, limit),
    )
    body, content_type = protocol.encode(asked, request)
    url = address(upstream, protocol.name, protocol.path, own_name)
    sent = {**headers(upstream, key), "content-type": content_type}
    answer = await provider.send(url, await signed(upstream, key, url, sent, body), body)
    try:
        content = await read_body(answer, _MOST_BYTES)
    finally:
        await answer.aclose()
    if not answer.is_success:
        return answer.status_code, False, _refusal(answer, content)
    answered = protocol.answer(asked, content)
    # A model that thinks may have had no token left to say anything
    if answered.failure is not None and answered.failure is not EMPTY:
        return answer.status_code, False, answered.failure.detail
    return answer.status_code, True, " ".join(answered.said).strip()


def _refusal(answer: Answer, content: bytes) -> str:
    """Return the provider's own words: they are for the operator, whose key it is."""
    try:
        document = orjson.loads(content)
        error = document.get("error") or document.get("message")
        message = error.get("message") if isinstance(error, dict) else error
    except (orjson.JSONDecodeError, AttributeError):
        message = None
    return str(message or f"It answered {answer.status_code}.")


def _without_keys(upstream: Upstream, text: str) -> str:
    """Return a provider's words without a key that they repeat."""
    for key in upstream.keys:
        secret = key.get_secret_value()
        parts = secret.split(":")[1:] if upstream.aws_signature is not None else []
        for part in [secret, *parts]:
            text = text.replace(part, "…")
    return text
