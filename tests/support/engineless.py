"""An API that has begun nothing: for its document, and what it refuses before all else."""

from __future__ import annotations

from functools import cache

from fastapi import FastAPI

from backend.api.app import create_app
from backend.settings import Settings


@cache
def engineless_api() -> FastAPI:
    """The same each time: its document, which FastAPI takes long to make, is made once."""
    return create_app(
        Settings(database_url="postgresql://127.0.0.1/x", nats_url="nats://127.0.0.1")
    )
