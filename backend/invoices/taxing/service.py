"""The hook for a tax service: what is asked of one, and the one that is reached over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, Protocol

import httpx

from backend.catalog.yaml_reading import parse_exactly
from backend.errors import InvalidInput, MalformedRequest
from backend.invoices.errors import TaxNotKnown
from backend.invoices.taxing.untaxed import digest
from backend.kit.backoff import pauses
from backend.kit.tls import provider_tls_context
from backend.settings import Settings
from backend_client.types.tax_service import TaxAnswer, TaxQuestion

ATTEMPTS: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.2
_MOST_BYTES: Final = 256 * 1024
_AWAY_AFTER: Final = 5
"""Failures in a row after which it counts as away, so that a run does not wait for each invoice."""
_AWAY_SECONDS: Final = 30.0
_TRY_AGAIN: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class TaxService(Protocol):
    """What knows the tax of an invoice. Its answers are checked before they are used."""

    async def ask(self, question: TaxQuestion) -> TaxAnswer:
        """Return the taxes of an invoice; raise ``TaxNotKnown`` with the reason if it can't."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class _Away(Exception):
    """One attempt failed in a way that may be over with the next."""


class HttpTaxService:
    """A tax service that answers a POST of the question, as JSON.

    The same question has the same ``Idempotency-Key``, the draft's id and a digest of the rest.
    """

    def __init__(self, url: str, token: str | None, timeout_seconds: float) -> None:
        self._url = url
        self._timeout = timeout_seconds
        credential = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            headers={"accept": "application/json", **credential},
            timeout=timeout_seconds,
            verify=provider_tls_context(),
            trust_env=False,
        )
        self._failures = 0
        self._away_until = 0.0

    async def ask(self, question: TaxQuestion) -> TaxAnswer:
        """Ask up to three times; see ``TaxService``."""
        if time.monotonic() < self._away_until:
            raise TaxNotKnown("The tax service has been failing; it is asked again in a while.")
        waits = pauses(_FIRST_PAUSE_SECONDS, self._timeout)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                body = await self._attempt(question)
                break
            except _Away as away:
                if attempt == ATTEMPTS:
                    self._failed()
                    raise TaxNotKnown(f"{away}, {ATTEMPTS} times in a row.") from away
            await asyncio.sleep(next(waits))
        self._failures = 0
        try:
            return parse_exactly(body, TaxAnswer)
        except MalformedRequest as error:
            raise TaxNotKnown("The tax service did not answer with JSON.") from error
        except InvalidInput as error:
            wrong = [
                f"{problem.field or 'the body'}: {problem.detail}" for problem in error.errors[:3]
            ]
            summary = f"The tax service's answer is of another form: {'; '.join(wrong)}."
            raise TaxNotKnown(summary) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def _attempt(self, question: TaxQuestion) -> bytes:
        """Return the body of a good answer, all of which came in time."""
        key = f"{question.id}-{digest(question)}"
        headers = {"content-type": "application/json", "idempotency-key": key}
        body = question.model_dump_json().encode()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                status = response.status_code
                if status in _TRY_AGAIN:
                    raise _Away(f"The tax service answered {status}")
                if status != HTTPStatus.OK:
                    raise TaxNotKnown(
                        f"The tax service refused the question: it answered {status}."
                    )
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > _MOST_BYTES:
                        raise TaxNotKnown("The tax service's answer is too long.")
                return bytes(content)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _Away(f"The tax service did not answer in {self._timeout:g} s") from error
        except httpx.HTTPError as error:
            raise _Away(f"The tax service can't be reached ({type(error).__name__})") from error

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= _AWAY_AFTER:
            self._away_until = time.monotonic() + _AWAY_SECONDS


@asynccontextmanager
async def tax_service(settings: Settings) -> AsyncIterator[HttpTaxService | None]:
    """Yield the configured tax service, None if there is none, and close it afterwards."""
    service = tax_service_of(settings)
    try:
        yield service
    finally:
        if service is not None:
            await service.close()


def tax_service_of(settings: Settings) -> HttpTaxService | None:
    """Return the configured tax service; None if the catalog's rates apply."""
    if settings.tax_service_url is None:
        return None
    token = settings.tax_service_token
    return HttpTaxService(
        str(settings.tax_service_url),
        token.get_secret_value() if token else None,
        settings.tax_service_timeout_seconds,
    )
