"""VIES, the European Commission's service for VAT ids, over its REST API.

``POST /check-vat-number``, by the Commission's OpenAPI document of VIES. A country's own register
is behind it, and may be away while the others answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx

from backend.kit.tls import provider_tls_context
from backend.pricing.tax.vat_ids import VIES_PREFIXES, compact

_TIMEOUT_SECONDS: Final = 20.0
_MOST_BYTES: Final = 100_000
_MOST_TEXT: Final = 500
_WRONG: Final = frozenset({"INVALID_INPUT"})
"""What it says of a number that can't be one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a VAT id: whether it is ``valid``, None if nobody knows and ``problem``.

    ``consultation`` is the number of the answer, if the seller's own id was sent with the question.
    """

    valid: bool | None
    problem: str | None = None
    name: str | None = None
    address: str | None = None
    consultation: str | None = None


def answers_for(vat_id: str) -> bool:
    """Return whether the service knows ids that begin so."""
    return compact(vat_id)[:2] in VIES_PREFIXES


class Vies:
    """Asks about one id at a time. Close it when done."""

    def __init__(self, url: str, seller_vat_id: str | None) -> None:
        self._url = f"{url.rstrip('/')}/check-vat-number"
        self._seller = seller_vat_id
        self._http = httpx.AsyncClient(
            headers={"accept": "application/json"},
            timeout=_TIMEOUT_SECONDS,
            verify=provider_tls_context(),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def ask(self, vat_id: str) -> Answer:
        """Return what is known of an id; never raises for a service that is away."""
        number = compact(vat_id)
        question = {"countryCode": number[:2], "vatNumber": number[2:]}
        if self._seller is not None and answers_for(self._seller):
            own = compact(self._seller)
            question |= {"requesterMemberStateCode": own[:2], "requesterNumber": own[2:]}
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                response = await self._http.post(self._url, json=question)
        except (TimeoutError, httpx.HTTPError) as error:
            return Answer(None, f"The service can't be reached ({type(error).__name__}).")
        return _read(response)


def _read(response: httpx.Response) -> Answer:
    try:
        document: Any = response.json() if len(response.content) <= _MOST_BYTES else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Answer(None, f"The service answered {response.status_code}, not as it should.")
    if response.status_code == HTTPStatus.OK and isinstance(document.get("valid"), bool):
        return Answer(
            document["valid"],
            name=_text(document.get("name")),
            address=_text(document.get("address")),
            consultation=_text(document.get("requestIdentifier")),
        )
    wrappers = document.get("errorWrappers")
    errors = [
        str(wrapper.get("error"))[:_MOST_TEXT]
        for wrapper in (wrappers if isinstance(wrappers, list) else [])
        if isinstance(wrapper, dict)
    ]
    if _WRONG.intersection(errors):
        return Answer(valid=False)
    reason = ", ".join(errors) or str(response.status_code)
    return Answer(None, f"The service answered {reason}.")


def _text(value: object) -> str | None:
    """Return what was said; dashes stand for what a country does not tell."""
    if not isinstance(value, str):
        return None
    shown = " ".join(value.split())
    text = "".join(letter for letter in shown if letter.isprintable())[:_MOST_TEXT]
    return text if text.strip("-") else None
