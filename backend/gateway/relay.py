"""A streamed answer on its way from the provider to the caller, metered as it passes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import orjson
import structlog

from backend.gateway.accounting import read_usage
from backend.gateway.call import Call, Status
from backend.gateway.errors import UpstreamFailed, error_body
from backend.gateway.recorder import Recorder
from backend.gateway.refusals import stream_error

_log = structlog.get_logger(__name__)

_LONGEST_LINE_BYTES = 16 * 1024 * 1024
_DONE = b"data: [DONE]\n\n"


class Relay:
    """Iterate ``events`` once, and call ``abandon`` afterwards in every case."""

    def __init__(
        self, call: Call, response: httpx.Response, recorder: Recorder, *, include_usage: bool
    ) -> None:
        self._call = call
        self._response = response
        self._recorder = recorder
        self._include_usage = include_usage
        self._finished = False
        self._ended = False
        self._failure: bytes | None = None
        self._recorded = False
        self.events = self._relay()

    def abandon(self) -> None:
        """Record what was not recorded yet: the caller pays for what was generated until now.

        The generator can't do that itself: one that never began, or that the server dropped between
        two chunks, runs no ``finally`` of its own.
        """
        if not self._recorded:
            self._recorded = True
            self._recorder.record_later(self._call, "aborted")
        self._recorder.spawn(self._close())

    async def _close(self) -> None:
        await self.events.aclose()
        await self._response.aclose()

    async def _relay(self) -> AsyncGenerator[bytes, None]:
        status: Status = "failed"
        try:
            rest = b""
            async for piece in self._response.aiter_bytes():
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > _LONGEST_LINE_BYTES:
                    break
                # What came at once goes on at once: a send for each chunk would cost the most.
                passed = b"".join(map(self._passed, lines))
                if passed:
                    yield passed
                if self._ended:
                    break
            else:
                passed = self._passed(rest)
                if passed:
                    yield passed
        except httpx.HTTPError as error:
            self._broke(error)
        if self._failure is None and self._finished:
            status = "completed"
        self._recorded = True
        await self._recorder.record(self._call, status)
        if status == "completed":
            yield _DONE
        else:
            broken = UpstreamFailed("The model provider broke the stream off.")
            yield b"data: " + (self._failure or error_body(broken)) + b"\n\n"

    def _passed(self, line: bytes) -> bytes:
        """Read a line; return what the caller gets of it."""
        if self._ended or not line.startswith(b"data:"):
            return b""
        data = line[5:].strip()
        if data == b"[DONE]":
            self._finished = self._ended = True
            return b""
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            self._broke(error)
            return b""
        if isinstance(chunk, dict) and chunk.get("error"):
            self._failure = error_body(stream_error(self._call, chunk["error"]))
            self._ended = True
            return b""
        passed_on = self._read_chunk(chunk)
        return b"" if passed_on is None else b"data: " + orjson.dumps(passed_on) + b"\n\n"

    def _broke(self, error: Exception) -> None:
        self._finished, self._ended = False, True
        _log.warning("gateway.stream_broke", model=self._call.admitted.model.id, error=repr(error))

    def _read_chunk(self, chunk: object) -> object | None:
        """Read a chunk; return what the caller gets of it, None for nothing."""
        if not isinstance(chunk, dict):
            return None
        choices = chunk.get("choices")
        choices = choices if isinstance(choices, list) else []
        for choice in choices:
            if isinstance(choice, dict):
                self._call.add_answer(choice.get("delta"))
                # A provider that ends the stream after this without [DONE] has sent everything.
                self._finished = self._finished or choice.get("finish_reason") is not None
        usage = read_usage(chunk.get("usage"))
        if usage is not None:
            self._call.usage = usage
        if "model" in chunk:
            chunk["model"] = self._call.admitted.model.id
        if self._include_usage:
            chunk.setdefault("usage", None)
        else:
            chunk.pop("usage", None)
            if usage is not None and not choices:
                return None
        return chunk
