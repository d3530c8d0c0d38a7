"""Lets the pools of all tests in a process share what SQLAlchemy works out about statements.

A process of Farebox has one pool for as long as it runs, and writes out each kind of statement
once. Tests open a pool each, thousands of them, and wrote the same statements out anew each time: a
tenth of their time. Each pool keeps connections, transactions and settings of its own.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.util import LRUCache


class SharedDialect(PGDialect_asyncpg):
    """The dialect of every pool. What it reads from a server is the version, which is the same."""

    supports_statement_cache = True
    _shared: ClassVar[dict[str, SharedDialect]] = {}
    _written: ClassVar[LRUCache[Any, Any]] = LRUCache(2000)
    _begun = False
    _initialized = False

    def __new__(cls, **options: Any) -> SharedDialect:
        """Return the one that was made with these options; the driver is the same for all."""
        key = repr({name: options[name] for name in sorted(options) if name != "dbapi"})
        return cls._shared.setdefault(key, super().__new__(cls))

    def __init__(self, **options: Any) -> None:
        if not self._begun:
            super().__init__(**options)
            self._begun = True

    def initialize(self, connection: Connection) -> None:
        """Ask the first server of all."""
        if not self._initialized:
            super().initialize(connection)
            self._initialized = True

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=cls._written)


def share_dialect() -> None:
    """Have every pool that is opened from now on use the one dialect."""
    registry.register("postgresql.asyncpg", __name__, SharedDialect.__name__)
