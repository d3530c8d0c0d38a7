"""A call of one word that tells whether an upstream works: not metered, and nobody's but ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from backend.gateway.addresses import address, headers, speaks
from backend.gateway.attempt import AttemptFailed, read_body
from backend.gateway.connections import Answer
from backend.gateway.errors import UpstreamCannotBeTested
from backend.gateway.protocols.base import EMPTY, Asked, Forwarding, Protocol
from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.completions import COMPLETIONS
from backend.gateway.protocols.embeddings import EMBEDDINGS
from backend.gateway.protocols.messages import MESSAGES
from backend.gateway.protocols.moderations import MODERATIONS
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.rules import apply_rules
from backend.gateway.upstreams import Provider
from backend.settings import Upstream
from backend_client.types.upstream_health import UpstreamTest

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


async def probe(upstream: Upstream, model: str | None, protocol: str | None) -> UpstreamTest:
    """Return how a call to an upstream goes; ``model`` is the customers' name of one.

    Raises ``UpstreamCannotBeTested`` for a model or a protocol that it does not serve.
    """
    chosen = model if model is not None else min(upstream.models, default=None)
    if chosen is None or chosen not in upstream.models:
        raise UpstreamCannotBeTested("model", f"is none that {upstream.name!r} serves")
    asked = _question(upstream, chosen, protocol)
    provider = Provider(upstream)
    began = time.monotonic()
    try:
        async with asyncio.timeout(min(_LONGEST_SECONDS, upstream.timeouts.total_seconds)):
            status, went_well, detail = await _asked(provider, asked, upstream.models[chosen])
    except TimeoutError:
        status, went_well, detail = None, False, "It did not answer in time."
    except httpx.HTTPError as error:
        status, went_well, detail = None, False, f"It could not be reached: {error}"
    except AttemptFailed as error:
        status, went_well, detail = None, False, str(error)
    finally:
        await provider.close()
    return UpstreamTest(
        went_well=went_well,
        model=upstream.models[chosen],
        protocol=asked.protocol.name,
        status=status,
        seconds=round(time.monotonic() - began, 3),
        detail=_without_keys(upstream, detail)[:_SHOWN],
    )


def _question(upstream: Upstream, model: str, protocol: str | None) -> Asked:
    for spoken, question in _QUESTIONS:
        if (protocol is None or spoken.name == protocol) and speaks(upstream, spoken.name):
            return spoken.read(orjson.dumps({"model": model, **question}))
    raise UpstreamCannotBeTested("protocol", f"is none by which {upstream.name!r} can be asked")


async def _asked(provider: Provider, asked: Asked, own_name: str) -> tuple[int, bool, str]:
    """Return the answer's status, whether it is a good one, and what it says."""
    upstream, protocol = provider.upstream, asked.protocol
    key = upstream.keys[0].get_secret_value() if upstream.keys else None
    document, _ = apply_rules(upstream.rules, asked.document, implied=protocol.implied)
    limit = upstream.rules.output_limit or "max_completion_tokens"
    request = protocol.forward(
        Asked(protocol, document, asked.model, stream=False, output_limit=asked.output_limit),
        Forwarding(own_name, _TOKENS, limit),
    )
    body, content_type = protocol.encode(asked, request)
    answer = await provider.send(
        address(upstream, protocol.name, protocol.path, own_name),
        {**headers(upstream, key), "content-type": content_type},
        body,
    )
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
        error = orjson.loads(content).get("error")
        message = error.get("message") if isinstance(error, dict) else error
    except (orjson.JSONDecodeError, AttributeError):
        message = None
    return str(message or f"It answered {answer.status_code}.")


def _without_keys(upstream: Upstream, text: str) -> str:
    """Return a provider's words without a key that they repeat."""
    for key in upstream.keys:
        text = text.replace(key.get_secret_value(), "…")
    return text
