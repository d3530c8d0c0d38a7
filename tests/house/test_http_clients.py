"""An HTTP client shares its process' certificates: to read them takes longer than most requests."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.fast

FOLDERS = ("backend", "backend_client", "edge", "portal")
CLIENTS = {"Client", "AsyncClient"}


def reading_anew(source: str) -> Iterator[int]:
    """The lines that make a client of httpx and say nothing of certificates or of a transport."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="httpx"), attr=name)) if (
                name in CLIENTS
                and {"verify", "transport"}.isdisjoint(keyword.arg for keyword in node.keywords)
            ):
                yield node.lineno


def test_no_client_reads_all_certificates_anew() -> None:
    sources = {
        path: source
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if "Client(" in (source := path.read_text())
    }
    assert sources
    faults = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, source in sources.items()
        for line in reading_anew(source)
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("httpx.AsyncClient()", [1]),
        ("\nhttpx.Client(timeout=1)", [2]),
        ("httpx.AsyncClient(verify=tls_context())", []),
        ("httpx.AsyncClient(transport=local)", []),
    ],
)
def test_such_a_client_is_noticed(source: str, lines: list[int]) -> None:
    assert list(reading_anew(source)) == lines
