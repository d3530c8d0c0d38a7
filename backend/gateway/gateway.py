"""The OpenAI-compatible gateway: forward a call, and account for it whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import structlog

from backend.accounts.principal import Principal
from backend.errors import FareboxError, Unavailable, UpstreamFailed
from backend.gateway.accounting import read_usage
from backend.gateway.admission import Admission
from backend.gateway.call import Call, Status, parse_request
from backend.gateway.errors import ModelNotFound, UpstreamRefused, error_body
from backend.gateway.upstreams import Upstreams
from backend.ids import new_id
from backend.metering.stream import UsageStream
from backend.metering.tokens import Tokenizer, tokenizer_for
from backend.settings import Settings
from backend.storage.database import Database

_log = structlog.get_logger(__name__)

# The provider's word to the caller; its other refusals are the operator's to look into.
_PASSED_ON = frozenset({400, 404, 413, 415, 422, 429})
_DONE = b"data: [DONE]\n\n"


class Gateway:
    """One a process; ``await close()`` when done, which waits for usage under way."""

    def __init__(self, settings: Settings, database: Database, stream: UsageStream) -> None:
        self._upstreams = Upstreams(settings.upstreams)
        self._stream = stream
        self._admission = Admission(database)
        self._accounting: set[asyncio.Task[None]] = set()

    async def models(self, caller: Principal) -> list[str]:
        """Return the ids of the models that the caller can call now."""
        return [
            model
            for model in await self._admission.models()
            if self._upstreams.serving(model) and (caller.models is None or model in caller.models)
        ]

    async def tokenizer(self, caller: Principal, model_id: str) -> Tokenizer:
        """Return the tokenizer of a model that the caller may use.

        Raises ``ModelNotFound``, and ``ConfigurationError`` if the catalog names none that there
        is. A model needs no provider to be counted for.
        """
        model = (await self._admission.models()).get(model_id)
        if model is None or (caller.models is not None and model_id not in caller.models):
            raise ModelNotFound(f"The model {model_id!r} does not exist or is not yours to use.")
        found = self._upstreams.serving(model.id)
        provider, own_name = found if found is not None else (None, model.id)
        return tokenizer_for(model.tokenizer, model=own_name, remote=provider)

    async def begin(self, caller: Principal, body: bytes) -> Call:
        """Check a request and admit it; nothing has been asked of a provider yet.

        Raises the gateway's errors, and ``Unavailable`` while its usage could not be recorded.
        """
        request = parse_request(body)
        admitted = await self._admission.admit(caller, request["model"])
        found = self._upstreams.serving(request["model"])
        if found is None:
            raise ModelNotFound(f"The model {request['model']!r} has no provider at present.")
        await self._stream.jetstream()
        provider, own_name = found
        # An id of our own: with one that callers choose, a repeated one would go unbilled.
        return Call(admitted, provider, {**request, "model": own_name}, new_id("req"))

    async def answer(self, call: Call) -> bytes:
        """Return the provider's whole answer, once its usage is recorded."""
        try:
            document = await self._ask(call)
        except FareboxError:
            await self._record(call, "failed")
            raise
        except asyncio.CancelledError:
            self._record_later(call, "aborted")
            raise
        for choice in document.get("choices") or []:
            call.heard(choice.get("message") if isinstance(choice, dict) else None)
        call.usage = read_usage(document.get("usage"))
        document["model"] = call.admitted.model.id
        await self._record(call, "completed")
        return orjson.dumps(document)

    async def _ask(self, call: Call) -> dict[str, Any]:
        try:
            response = await call.provider.http.post(
                "chat/completions",
                content=orjson.dumps(call.request),
                headers={"content-type": "application/json"},
            )
        except httpx.HTTPError as error:
            raise _unreachable(call, error) from error
        if response.status_code != 200:
            raise _refusal(call, response)
        try:
            document = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise UpstreamFailed("The model provider's answer could not be read.") from error
        if not isinstance(document, dict):
            raise UpstreamFailed("The model provider's answer could not be read.")
        return document

    async def open_stream(self, call: Call) -> AsyncIterator[bytes]:
        """Begin a streamed answer; raises as ``answer`` does before the first byte is sent."""
        wanted = call.request.get("stream_options") or {}
        # Always asked for, since it is what bills; handed on if the caller asked too.
        forwarded = {**call.request, "stream_options": {**wanted, "include_usage": True}}
        request = call.provider.http.build_request(
            "POST",
            "chat/completions",
            content=orjson.dumps(forwarded),
            headers={"content-type": "application/json"},
        )
        try:
            response = await call.provider.http.send(request, stream=True)
            if response.status_code != 200:
                await response.aread()
                await response.aclose()
                raise _refusal(call, response)
        except httpx.HTTPError as error:
            await self._record(call, "failed")
            raise _unreachable(call, error) from error
        except FareboxError:
            await self._record(call, "failed")
            raise
        except asyncio.CancelledError:
            self._record_later(call, "aborted")
            raise
        return self._relay(call, response, include_usage=bool(wanted.get("include_usage")))

    async def _relay(
        self, call: Call, response: httpx.Response, *, include_usage: bool
    ) -> AsyncIterator[bytes]:
        status: Status = "aborted"
        recorded = False
        try:
            try:
                async for line in response.aiter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = line[5:].strip()
                    if data == "[DONE]":
                        status = "completed"
                        break
                    chunk = _handled(call, orjson.loads(data), include_usage=include_usage)
                    if chunk is not None:
                        yield b"data: " + orjson.dumps(chunk) + b"\n\n"
            except (httpx.HTTPError, orjson.JSONDecodeError) as error:
                status = "failed"
                _log.warning(
                    "gateway.stream_broke", model=call.admitted.model.id, error=repr(error)
                )
            if status == "aborted":  # the provider stopped without saying that it was done
                status = "failed"
            await self._record(call, status)
            recorded = True
            if status == "failed":
                broken = UpstreamFailed("The model provider broke the stream off.")
                yield b"data: " + error_body(broken) + b"\n\n"
            else:
                yield _DONE
        except Unavailable as error:
            recorded = True
            self._record_later(call, status)
            yield b"data: " + error_body(error) + b"\n\n"
        finally:
            # Also when the caller has gone: what was generated until then is theirs to pay.
            if not recorded:
                self._record_later(call, "aborted")
            await asyncio.shield(response.aclose())

    async def _record(self, call: Call, status: Status) -> None:
        """Publish the call's event; shielded, since the caller may go at any moment."""
        await asyncio.shield(self._record_later(call, status))

    def _record_later(self, call: Call, status: Status) -> asyncio.Task[None]:
        task = asyncio.create_task(self._publish(call, status))
        self._accounting.add(task)
        task.add_done_callback(self._done)
        return task

    async def _publish(self, call: Call, status: Status) -> None:
        event = await call.event(status)
        await self._stream.publish([event])

    def _done(self, task: asyncio.Task[None]) -> None:
        self._accounting.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("gateway.usage_not_recorded", error=str(error))

    async def close(self) -> None:
        """Wait until the usage of every call is recorded, then disconnect."""
        if self._accounting:
            await asyncio.wait(self._accounting, timeout=10)
        await self._upstreams.close()


def _handled(call: Call, chunk: object, *, include_usage: bool) -> object | None:
    """Take note of a chunk; return what the caller gets of it, None for nothing."""
    if not isinstance(chunk, dict):
        return chunk
    choices = chunk.get("choices") or []
    for choice in choices:
        call.heard(choice.get("delta") if isinstance(choice, dict) else None)
    usage = read_usage(chunk.get("usage"))
    if usage is not None:
        call.usage = usage
    if "model" in chunk:
        chunk["model"] = call.admitted.model.id
    if not include_usage:
        chunk.pop("usage", None)
        if usage is not None and not choices:
            return None
    return chunk


def _unreachable(call: Call, error: httpx.HTTPError) -> FareboxError:
    _log.warning(
        "gateway.upstream_unreachable", upstream=call.provider.upstream.name, error=repr(error)
    )
    if isinstance(error, httpx.TimeoutException):
        return UpstreamFailed("The model provider did not answer in time.")
    return UpstreamFailed("The model provider could not be reached.")


def _refusal(call: Call, response: httpx.Response) -> FareboxError:
    _log.warning(
        "gateway.upstream_refused",
        upstream=call.provider.upstream.name,
        status=response.status_code,
    )
    if response.status_code not in _PASSED_ON:
        return UpstreamFailed(f"The model provider failed ({response.status_code}).")
    try:
        error = orjson.loads(response.content)["error"]
        code = error.get("code")
        return UpstreamRefused(
            response.status_code, str(error["message"]), code if isinstance(code, str) else None
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return UpstreamRefused(
            response.status_code, "The model provider refused the request.", None
        )
