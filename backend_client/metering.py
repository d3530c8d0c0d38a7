"""The clients' methods for events, usage and metered calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from datetime import datetime
from typing import Any

import httpx

from backend_client.errors import Unavailable, error_of
from backend_client.requests import metering as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.transport import DONE, STREAM_TIMEOUT, chunk_of, event_data, unreachable
from backend_client.types.dead_letters import DeadLetter, DeadLetterContent, DeadLetterReplay
from backend_client.types.events import IngestResult, UsageEvent
from backend_client.types.pipeline import Pipeline
from backend_client.types.usage import Granularity, UsageDimension, UsageReport


class MeteringMethods(Sender):
    """Those of the synchronous client."""

    def send_events(self, events: Sequence[UsageEvent]) -> IngestResult:
        """Send usage events; harmless to repeat."""
        return self._do(requests.send_events(events))

    def usage(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        granularity: Granularity = Granularity.DAY,
        group_by: Iterable[UsageDimension] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
        etag: str | None = None,
    ) -> UsageReport | None:
        """Sum usage by time, meter and ``group_by``; None if ``etag`` is still current."""
        call = requests.usage(
            start=start,
            end=end,
            granularity=granularity,
            group_by=group_by,
            application=application,
            key=key,
            model=model,
            meter=meter,
            etag=etag,
        )
        return self._do(call)

    def usage_csv(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        granularity: Granularity = Granularity.DAY,
        group_by: Iterable[UsageDimension] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
    ) -> str:
        """Return the same sums as CSV."""
        call = requests.usage(
            start=start,
            end=end,
            granularity=granularity,
            group_by=group_by,
            application=application,
            key=key,
            model=model,
            meter=meter,
        )
        return self._do(requests.usage_csv(call))

    def pipeline(self) -> Pipeline:
        """How the way from ingest to rollups is doing; for the operator."""
        return self._do(requests.pipeline())

    def dead_letters(self) -> list[DeadLetter]:
        """All messages that could not be counted, oldest first; for the operator."""
        return self._all(requests.dead_letters())

    def dead_letter(self, sequence: int) -> DeadLetterContent:
        """One of them with its content; for the operator."""
        return self._do(requests.dead_letter(sequence))

    def replay_dead_letter(self, sequence: int, wanted: DeadLetterReplay) -> IngestResult:
        """Count it after all, as it is or put right; for the operator."""
        return self._do(requests.replay_dead_letter(sequence, wanted))

    def discard_dead_letter(self, sequence: int) -> None:
        """Remove it for good; for the operator."""
        self._do(requests.discard_dead_letter(sequence))

    def chat_stream(self, **request: object) -> Generator[dict[str, Any], None, None]:
        """Stream a chat completion: OpenAI's request, and its chunks as they come.

        Close the iterator to stop; what was generated until then is billed. Raises
        ``Unavailable`` if the answer breaks off.
        """
        whole = False
        try:
            with self._http.stream(
                "POST",
                "/v1/chat/completions",
                json={**request, "stream": True},
                timeout=STREAM_TIMEOUT,
            ) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                for line in response.iter_lines():
                    data = event_data(line)
                    whole = whole or data == DONE
                    if data is not None and not whole:
                        yield chunk_of(data)
        except httpx.RequestError as error:
            raise unreachable(error) from error
        if not whole:
            raise Unavailable("The answer broke off.")


class AsyncMeteringMethods(AsyncSender):
    """Those of the asynchronous client."""

    async def send_events(self, events: Sequence[UsageEvent]) -> IngestResult:
        """Send usage events; harmless to repeat."""
        return await self._do(requests.send_events(events))

    async def usage(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        granularity: Granularity = Granularity.DAY,
        group_by: Iterable[UsageDimension] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
        etag: str | None = None,
    ) -> UsageReport | None:
        """Sum usage by time, meter and ``group_by``; None if ``etag`` is still current."""
        call = requests.usage(
            start=start,
            end=end,
            granularity=granularity,
            group_by=group_by,
            application=application,
            key=key,
            model=model,
            meter=meter,
            etag=etag,
        )
        return await self._do(call)

    async def usage_csv(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        granularity: Granularity = Granularity.DAY,
        group_by: Iterable[UsageDimension] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
    ) -> str:
        """Return the same sums as CSV."""
        call = requests.usage(
            start=start,
            end=end,
            granularity=granularity,
            group_by=group_by,
            application=application,
            key=key,
            model=model,
            meter=meter,
        )
        return await self._do(requests.usage_csv(call))

    async def pipeline(self) -> Pipeline:
        """How the way from ingest to rollups is doing; for the operator."""
        return await self._do(requests.pipeline())

    async def dead_letters(self) -> list[DeadLetter]:
        """All messages that could not be counted, oldest first; for the operator."""
        return await self._all(requests.dead_letters())

    async def dead_letter(self, sequence: int) -> DeadLetterContent:
        """One of them with its content; for the operator."""
        return await self._do(requests.dead_letter(sequence))

    async def replay_dead_letter(self, sequence: int, wanted: DeadLetterReplay) -> IngestResult:
        """Count it after all, as it is or put right; for the operator."""
        return await self._do(requests.replay_dead_letter(sequence, wanted))

    async def discard_dead_letter(self, sequence: int) -> None:
        """Remove it for good; for the operator."""
        await self._do(requests.discard_dead_letter(sequence))

    async def chat_stream(self, **request: object) -> AsyncGenerator[dict[str, Any], None]:
        """Stream a chat completion: OpenAI's request, and its chunks as they come.

        Close the iterator to stop; what was generated until then is billed. Raises
        ``Unavailable`` if the answer breaks off.
        """
        whole = False
        try:
            async with self._http.stream(
                "POST",
                "/v1/chat/completions",
                json={**request, "stream": True},
                timeout=STREAM_TIMEOUT,
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                async for line in response.aiter_lines():
                    data = event_data(line)
                    whole = whole or data == DONE
                    if data is not None and not whole:
                        yield chunk_of(data)
        except httpx.RequestError as error:
            raise unreachable(error) from error
        if not whole:
            raise Unavailable("The answer broke off.")
