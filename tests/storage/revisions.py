"""A database at any revision: moved there, filled with rows, its rows and its schema read."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, TypedDict

import yaml
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage import migrate
from backend.storage.migrate import alembic_config

Row = dict[str, Any]
Rows = dict[str, list[Row]]


class Entry(TypedDict, total=False):
    """Rows of a table, or a statement, for the revisions from ``since`` to ``until``."""

    table: str
    rows: list[Row]
    sql: str
    since: str
    until: str


_INSTALLATION: list[Entry] = yaml.safe_load(
    Path(__file__).with_name("installation.yaml").read_text()
)

_COLUMNS = text(
    """
    SELECT relname::text, array_agg(attname::text)
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND relname <> 'alembic_version' AND attnum > 0 AND NOT attisdropped
    GROUP BY 1
    """
)

# What a schema is: each table, column, constraint, index, trigger and function with its definition.
# The order of columns is left out: it differs between a new table and one that was altered.
_SCHEMA = text(
    """
    WITH tables AS (
      SELECT oid, relname, relkind, relpersistence FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    )
    SELECT 'table', relname::text, '', relkind::text || relpersistence::text FROM tables
    UNION ALL
    SELECT 'column', relname::text, attname::text,
      concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
        pg_get_expr(adbin, adrelid))
    FROM tables JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 AND NOT attisdropped
      LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    UNION ALL
    SELECT 'constraint', relname::text, conname::text, pg_get_constraintdef(pg_constraint.oid)
    FROM tables JOIN pg_constraint ON conrelid = tables.oid
    UNION ALL
    SELECT 'index', relname::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM tables JOIN pg_index ON indrelid = tables.oid
    UNION ALL
    SELECT 'trigger', relname::text, tgname::text, pg_get_triggerdef(pg_trigger.oid)
    FROM tables JOIN pg_trigger ON tgrelid = tables.oid AND NOT tgisinternal
    UNION ALL
    SELECT 'function', '', proname::text, pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """
)


@cache
def _scripts() -> ScriptDirectory:
    """The migrations, read once: Alembic's commands read all of them anew each time."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    return ScriptDirectory.from_config(config)


def revisions() -> list[str]:
    """Every revision, from the first schema to the head."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


async def upgrade(connection: AsyncConnection, revision: str) -> None:
    """Run the migrations up to and including ``revision``."""
    await connection.run_sync(_move, revision, _scripts()._upgrade_revs)


async def downgrade(connection: AsyncConnection, revision: str) -> None:
    """Undo the migrations after ``revision``; ``"base"`` undoes them all."""
    await connection.run_sync(_move, revision, _scripts()._downgrade_revs)


def _move(connection: Connection, revision: str, steps: Callable[[str, Any], Any]) -> None:
    """As ``alembic.command.upgrade`` and ``downgrade`` do."""
    with EnvironmentContext(
        alembic_config(connection),
        _scripts(),
        fn=lambda at, _: steps(revision, at),
        destination_rev=revision,
    ):
        _scripts().run_env()


async def install(connection: AsyncConnection, revision: str, *, only: str | None = None) -> None:
    """Insert the small installation's rows, those of one table or all, that ``revision`` can hold.

    The database is at ``revision``.
    """
    columns = await columns_of(connection)
    if only is not None:
        columns = {only: columns[only]}
    for entry in _INSTALLATION:
        if entry["table"] not in columns:
            continue
        if not entry.get("since", revision) <= revision <= entry.get("until", revision):
            continue
        present = columns[entry["table"]]
        rows = [
            {column: value for column, value in row.items() if column in present}
            for row in entry.get("rows", [])
        ]
        for names, alike in groupby(rows, key=list):
            await _insert(connection, entry["table"], names, list(alike))
        if "sql" in entry:
            await connection.execute(text(entry["sql"]))


async def _insert(
    connection: AsyncConnection, table: str, columns: list[str], rows: list[Row]
) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    insert = f"""
        INSERT INTO {table} ({names})
        SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb))
        """  # noqa: S608  the names are those of the catalog
    await connection.execute(text(insert), {"rows": json.dumps(rows, default=str)})


async def columns_of(connection: AsyncConnection) -> dict[str, set[str]]:
    """The columns of each table."""
    return {table: set(columns) for table, columns in await connection.execute(_COLUMNS)}


async def rows_of(connection: AsyncConnection) -> Rows:
    """All rows of all tables as JSON has them, numbers exact, always in the same order."""
    await connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
    tables = list(await columns_of(connection))
    documents: dict[str, list[str]] = {table: [] for table in tables}
    if tables:
        # All in a statement: PostgreSQL and SQLAlchemy need longer for each than for its rows
        every = " UNION ALL ".join(
            f"SELECT '{table}', to_jsonb({table})::text FROM {table}"  # noqa: S608  as above
            for table in tables
        )
        for table, document in await connection.execute(text(every)):
            documents[table].append(document)
    return {
        table: in_order([json.loads(row, parse_float=Decimal) for row in documents[table]])
        for table in tables
    }


def in_order(rows: list[Row]) -> list[Row]:
    """The same rows, sorted by all that they hold."""
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))


async def schema_of(connection: AsyncConnection) -> set[tuple[str, ...]]:
    """What the schema is made of, each thing with its kind, table, name and definition."""
    return {tuple(thing) for thing in await connection.execute(_SCHEMA)}
