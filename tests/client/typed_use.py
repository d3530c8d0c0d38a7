"""How the client is used, for the type checker alone: test_types.py runs it over this file."""

from __future__ import annotations

from typing import assert_type

from backend_client import AsyncFareboxClient, AsyncPager, FareboxClient, Pager, RawResponse
from backend_client.types.accounts import ApiKey
from backend_client.types.common import Page
from backend_client.types.invoices import LineEvents
from backend_client.types.usage import UsageReport


def plain(client: FareboxClient) -> None:
    assert_type(client.keys.get("key_1"), ApiKey)
    assert_type(client.keys.list(), Pager[ApiKey])
    assert_type(client.keys.list().page(), Page[ApiKey])
    assert_type(list(client.keys.list()), list[ApiKey])
    assert_type(client.invoices.line_events("inv_1", 1).page(), LineEvents)
    report = client.with_raw_response(client.usage.report)(label={"team": "search"})
    assert_type(report, RawResponse[UsageReport | None])
    assert_type(client.with_raw_response(client.keys.list)(limit=2), RawResponse[Page[ApiKey]])


async def over_asyncio(client: AsyncFareboxClient) -> None:
    assert_type(await client.keys.get("key_1"), ApiKey)
    assert_type(client.keys.list(), AsyncPager[ApiKey])
    assert_type([key async for key in client.keys.list()], list[ApiKey])
    keys = await client.with_raw_response(client.keys.list().all)()
    assert_type(keys, RawResponse[list[ApiKey]])
    page = await client.with_raw_response(client.keys.list)(limit=2)
    assert_type(page, RawResponse[Page[ApiKey]])


def mistakes(client: FareboxClient) -> None:
    """Each is refused; an ignored line that is not is an error of its own."""
    client.keys.get(1)  # type: ignore[arg-type]  # an id is a text
    client.usage.report(lable={})  # type: ignore[call-arg]  # misspelt
    client.events.list(label=["team"])  # type: ignore[arg-type]  # values by name
    client.with_raw_response(client.keys.get)(1)  # type: ignore[arg-type]  # an id is a text
