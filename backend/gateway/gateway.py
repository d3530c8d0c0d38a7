"""The OpenAI-compatible gateway: forward a call, and account for its usage in every case."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson

from backend.accounts.principal import Principal
from backend.errors import FareboxError
from backend.gateway.accounting import read_usage
from backend.gateway.admission import Admission
from backend.gateway.call import Call, parse_request
from backend.gateway.errors import ModelNotFound, UpstreamFailed
from backend.gateway.holds import Holds
from backend.gateway.recorder import Recorder
from backend.gateway.refusals import refusal, unreachable
from backend.gateway.relay import Relay
from backend.gateway.upstreams import Upstreams
from backend.ids import new_id
from backend.metering.ingest.stream import UsageStream
from backend.metering.tokens import Tokenizer, tokenizer_for
from backend.settings import Settings
from backend.storage.database import Database


class Gateway:
    """One a process; ``await close()`` when done, which waits until all usage is recorded."""

    def __init__(self, settings: Settings, database: Database, stream: UsageStream) -> None:
        self._upstreams = Upstreams(settings.upstreams)
        self._admission = Admission(database)
        self._holds = Holds(database)
        self._recorder = Recorder(database, stream, self._holds)

    async def models(self, caller: Principal) -> list[str]:
        """Return the ids of the models that the caller can call now."""
        allowed = await self._admission.allowed_models(caller)
        return [model for model in allowed if self._upstreams.serving(model)]

    async def tokenizer(self, caller: Principal, model_id: str) -> Tokenizer:
        """Return the tokenizer of a model that the caller may use.

        Raises ``ModelNotFound``, and ``ConfigurationError`` if the catalog names an unknown one. A
        model can be counted for without a provider.
        """
        model = (await self._admission.models()).get(model_id)
        if model is None or (caller.models is not None and model_id not in caller.models):
            raise ModelNotFound(f"The model {model_id!r} does not exist or is not yours to use.")
        serving = self._upstreams.serving(model.id)
        provider, own_name = serving if serving is not None else (None, model.id)
        return tokenizer_for(model.tokenizer, model=own_name, remote=provider)

    async def begin(self, caller: Principal, body: bytes) -> Call:
        """Check a request, admit it and make its holds; no provider has been called yet.

        Raises the gateway's errors, and ``Unavailable`` while its usage could not be recorded.
        """
        request = parse_request(body)
        admitted = await self._admission.admit(caller, request["model"])
        serving = self._upstreams.serving(request["model"])
        if serving is None:
            raise ModelNotFound(f"The model {request['model']!r} has no provider at present.")
        self._recorder.require_room()
        provider, own_name = serving
        # An id of our own: callers could repeat one of theirs to avoid the bill.
        call = Call(admitted, provider, {**request, "model": own_name}, new_id("req"))
        await self._holds.reserve(call)
        return call

    async def answer(self, call: Call) -> bytes:
        """Return the provider's whole answer, once its usage is recorded."""
        try:
            document = await self._ask(call)
        except FareboxError:
            await self._recorder.record(call, "failed")
            raise
        except asyncio.CancelledError:
            self._recorder.record_later(call, "aborted")
            raise
        call.answered = True
        choices = document.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            call.add_answer(choice.get("message") if isinstance(choice, dict) else None)
        call.usage = read_usage(document.get("usage"))
        document["model"] = call.admitted.model.id
        await self._recorder.record(call, "completed")
        return orjson.dumps(document)

    async def _ask(self, call: Call) -> dict[str, Any]:
        response = await self._open(call, call.request)
        try:
            await response.aread()
        except httpx.HTTPError as error:
            raise unreachable(call, error) from error
        finally:
            await response.aclose()
        try:
            document = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise UpstreamFailed("The model provider's answer could not be read.") from error
        if not isinstance(document, dict):
            raise UpstreamFailed("The model provider's answer could not be read.")
        return document

    async def open_stream(self, call: Call) -> Relay:
        """Begin a streamed answer; raises as ``answer`` does before the first byte is sent."""
        wanted = call.request.get("stream_options") or {}
        # Always requested, since it bills; passed on if the caller requested it too.
        forwarded = {**call.request, "stream_options": {**wanted, "include_usage": True}}
        try:
            response = await self._open(call, forwarded)
        except FareboxError:
            await self._recorder.record(call, "failed")
            raise
        except asyncio.CancelledError:
            self._recorder.record_later(call, "aborted")
            raise
        include_usage = bool(wanted.get("include_usage"))
        return Relay(call, response, self._recorder, include_usage=include_usage)

    async def _open(self, call: Call, body: dict[str, Any]) -> httpx.Response:
        try:
            response = await call.provider.complete(orjson.dumps(body))
            if response.status_code == 200:
                return response
            await response.aread()
            await response.aclose()
        except httpx.HTTPError as error:
            raise unreachable(call, error) from error
        raise refusal(call, response)

    async def close(self) -> None:
        """Wait until the usage of every call is recorded, then disconnect."""
        await self._recorder.close()
        await self._holds.close()
        await self._upstreams.close()
