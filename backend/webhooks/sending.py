"""One request to a customer's endpoint: signed, to an address that was checked, nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from backend.kit.outgoing import AddressRefused, OutgoingUrl, checked_addresses, outgoing_url
from backend.kit.retry_after import asked_wait
from backend.kit.tls import provider_tls_context
from backend.outbox.channels.webhook import beginning, signed_headers

TIMEOUT_SECONDS: Final = 20.0
_CONNECTING = 4
"""Which part of the time a connection may take."""
_SHOWN_CHARACTERS = 1000
_MOST_ADDRESSES = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request; it succeeded if there is no ``reason``. ``wait`` is what it asks."""

    status: int | None = None
    answer: str | None = None
    reason: str | None = None
    wait: timedelta | None = None

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants no more events."""
        return self.status == httpx.codes.GONE


async def post_event(
    url: str,
    secrets: Sequence[bytes],
    event_id: str,
    body: bytes,
    networks: Sequence[str],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Outcome:
    """Post an event. Redirects are not followed, and no proxy of the environment is asked.

    The host is looked up once, and what that said is connected to: its certificate must be of the
    host's name.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            outgoing = outgoing_url(url, networks)
            addresses = await checked_addresses(outgoing, networks)
            headers = {
                "content-type": "application/json",
                "user-agent": "farebox-webhooks/1",
                "accept-encoding": "identity",
                **signed_headers(secrets, event_id, body),
            }
            return await _post(
                outgoing, addresses[:_MOST_ADDRESSES], headers, body, timeout_seconds
            )
    except TimeoutError:
        return Outcome(reason=f"The endpoint did not answer in {timeout_seconds:g} s.")
    except AddressRefused as error:
        return Outcome(reason=f"Nothing was sent. {error}")
    except ValueError as error:  # the networks were changed since it was registered
        return Outcome(reason=f"Nothing was sent: the address {error}.")
    except httpx.TransportError as error:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        return Outcome(reason=f"The endpoint can't be reached ({what}).")


async def _post(
    outgoing: OutgoingUrl,
    addresses: Sequence[str],
    headers: dict[str, str],
    body: bytes,
    timeout_seconds: float,
) -> Outcome:
    # A connection of its own for each: those that are kept are known by their address alone, and
    # another customer's host may have the same
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(timeout_seconds, connect=timeout_seconds / _CONNECTING),
        follow_redirects=False,
        trust_env=False,
        verify=provider_tls_context(),
    ) as http:
        for number, address in enumerate(addresses, 1):
            url = httpx.URL(outgoing.url)
            pinned = url.copy_with(host=address)
            request = http.build_request(
                "POST",
                pinned,
                content=body,
                headers={**headers, "host": url.netloc.decode("ascii")},
                extensions={"sni_hostname": outgoing.host},
            )
            try:
                answer = await http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(addresses):
                    raise
                continue
            try:
                return _outcome(answer, await beginning(answer, _SHOWN_CHARACTERS))
            finally:
                await answer.aclose()
    raise AssertionError("there is an address")


def _outcome(answer: httpx.Response, text: str) -> Outcome:
    if answer.is_success:
        return Outcome(answer.status_code, text)
    return Outcome(
        answer.status_code,
        text,
        f"The endpoint answered {answer.status_code}.",
        asked_wait(answer.headers.get("retry-after"), datetime.now(UTC)),
    )
