"""The synchronous client is the one that its script makes of the asynchronous one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from backend_client import AsyncFareboxClient, FareboxClient
from tools.generate_sync_client import differences, sync_of

pytestmark = pytest.mark.fast


def test_the_synchronous_client_is_as_the_script_makes_it() -> None:
    assert differences() == [], "run python tools/generate_sync_client.py"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("async def f() -> None:\n    await g()\n", "def f() -> None:\n    g()\n"),
        ("x: Callable[P, Awaitable[Raw[A]]]\n", "x: Callable[P, Raw[A]]\n"),
        ("async with AsyncThing() as thing:\n    pass\n", "with Thing() as thing:\n    pass\n"),
        ("[x async for x in xs]\n", "[x for x in xs]\n"),
        ('"""``await client.close()`` of AsyncX"""\n', '"""``client.close()`` of X"""\n'),
        ("asynchronous = 'await ing'  # async def\n", "asynchronous = 'ing'  # def\n"),
        ("Asynchronous = _async.AsyncIterator\n", "Asynchronous = _sync.Iterator\n"),
    ],
)
def test_what_the_script_makes(source: str, expected: str) -> None:
    assert sync_of(source) == expected


async def test_both_clients_have_the_same_documented_methods() -> None:
    with FareboxClient("http://farebox.example") as client:
        plain = dict(methods(client))
    async with AsyncFareboxClient("http://farebox.example") as client:
        over_asyncio = dict(methods(client))
    assert plain.keys() == over_asyncio.keys()
    assert len(plain) > 100
    for name, method in plain.items():
        assert inspect.getdoc(method), name
        assert parameters(method) == parameters(over_asyncio[name]), name


def methods(resource: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The public methods of a client, ``keys.create`` and the like."""
    for name, member in inspect.getmembers(resource, inspect.ismethod):
        if not name.startswith("_"):
            yield path + name, member
    for name, member in vars(resource).items():
        if not name.startswith("_"):
            yield from methods(member, f"{path}{name}.")


def parameters(method: Any) -> list[tuple[str, Any, Any]]:
    """How a method is called; what it is named and typed, but for the transport's kind."""
    return [
        (parameter.name, parameter.default, str(parameter.annotation).replace("Async", ""))
        for parameter in inspect.signature(method).parameters.values()
        if parameter.name != "method"
    ]
