"""``farebox catalog``: put ``catalog.yaml`` on sale."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from backend.billing.catalog import apply_catalog, load_catalog
from backend.engines.postgres import postgres_url
from backend.errors import ConfigurationError
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend_client.types.plans import Catalog, CatalogApplied

catalog = typer.Typer(no_args_is_help=True, help="Models and plans on sale.")
catalog.callback()(lambda: None)  # keeps a single command a command


@catalog.command()
def apply(
    path: Annotated[
        Path | None, typer.Argument(help="The catalog file; FAREBOX_CATALOG if none.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would change; publish nothing.")
    ] = False,
) -> None:
    """Publish what changed in the catalog file. Nobody's subscription moves by it."""
    settings = Settings()
    loaded = load_catalog(path or settings.catalog)
    applied = asyncio.run(_apply(settings, loaded, check=check))
    for line in _told(applied, check=check):
        typer.echo(line)


async def _apply(settings: Settings, loaded: Catalog, *, check: bool) -> CatalogApplied:
    database = Database(
        settings.database_url or postgres_url(settings.home / "postgres"), pool_size=1
    )
    try:
        await migrate(database.engine)
        async with database.engine.connect() as connection:
            applied = await apply_catalog(connection, loaded)
            await (connection.rollback() if check else connection.commit())
            return applied
    except OSError as error:
        raise ConfigurationError(
            f"PostgreSQL can't be reached ({error}). Start `farebox up`, or check DATABASE_URL."
        ) from error
    finally:
        await database.close()


def _told(applied: CatalogApplied, *, check: bool) -> list[str]:
    would = "would be published" if check else "published"
    changed = "would change" if check else "changed"
    lines = [f"plan {plan}: a new version {would}" for plan in applied.plans_published]
    lines += [f"model {model}: {changed}" for model in applied.models_changed]
    return lines or ["Nothing changed: this catalog is on sale already."]
