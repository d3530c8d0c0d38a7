"""Lists that come in pages: what is fetched, and when."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from backend_client import NotFound
from tests.client.conftest import Maker
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.fast


def page(*names: str, following: str | None = None) -> Reply:
    items = [
        {"id": f"app_{name}", "name": name, "created_at": "2026-01-01T00:00:00Z"} for name in names
    ]
    return Reply(body=json.dumps({"items": items, "next_cursor": following}).encode())


@pytest.fixture
def three_pages(flaky: FlakyServer) -> FlakyServer:
    flaky.replies = [page("a", "b", following="2"), page("c", "d", following="3"), page("e")]
    return flaky


def asked(server: FlakyServer) -> list[dict[str, list[str]]]:
    return [parse_qs(urlsplit(seen.path).query) for seen in server.seen]


def names(items: Any) -> list[str]:
    return [application.name for application in items]


async def test_all_items_are_iterated_over(client: Maker, three_pages: FlakyServer) -> None:
    with three_pages:
        applications = client(three_pages.url).applications.list(limit=2)
        assert asked(three_pages) == []
        assert names([application async for application in applications]) == [
            "a",
            "b",
            "c",
            "d",
            "e",
        ]
    cursors: list[dict[str, list[str]]] = [{}, {"cursor": ["2"]}, {"cursor": ["3"]}]
    assert asked(three_pages) == [{"limit": ["2"]} | cursor for cursor in cursors]


async def test_all_items_are_a_list(client: Maker, three_pages: FlakyServer) -> None:
    with three_pages:
        everything = await client(three_pages.url).applications.list().all()
    assert names(everything) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(("count", "fetched"), [(1, 1), (2, 1), (3, 2), (9, 3)])
async def test_the_first_items_take_no_page_beyond_them(
    client: Maker, three_pages: FlakyServer, count: int, fetched: int
) -> None:
    with three_pages:
        first = await client(three_pages.url).applications.list().first(count)
    assert names(first) == ["a", "b", "c", "d", "e"][:count]
    assert len(three_pages.seen) == fetched


async def test_a_page_is_the_one_that_the_cursor_names(
    client: Maker, three_pages: FlakyServer
) -> None:
    with three_pages:
        listing = await client(three_pages.url).applications.list(cursor="1").page()
    assert (names(listing.items), listing.next_cursor) == (["a", "b"], "2")
    assert asked(three_pages) == [{"cursor": ["1"]}]


async def test_a_page_that_is_missing_ends_the_iteration_with_its_error(
    client: Maker, flaky: FlakyServer
) -> None:
    flaky.replies = [page("a", following="2"), Reply(404)]
    with flaky, pytest.raises(NotFound):
        await client(flaky.url).applications.list().all()
    assert len(flaky.seen) == 2
