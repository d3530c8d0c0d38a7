"""``farebox catalog``: put ``catalog.yaml`` on sale."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from backend.billing.catalog import apply_catalog, load_catalog
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.settings import Settings
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
    settings = running_settings()
    loaded = load_catalog(path or settings.catalog)
    applied = asyncio.run(_apply(settings, loaded, check=check))
    for line in _told(applied, check=check):
        typer.echo(line)


async def _apply(settings: Settings, loaded: Catalog, *, check: bool) -> CatalogApplied:
    async with ready_database(settings) as database, database.engine.connect() as connection:
        applied = await apply_catalog(connection, loaded)
        await (connection.rollback() if check else connection.commit())
        return applied


def _told(applied: CatalogApplied, *, check: bool) -> list[str]:
    would = "would be published" if check else "published"
    changed = "would change" if check else "changed"
    lines = [f"plan {plan}: a new version {would}" for plan in applied.plans_published]
    lines += [f"model {model}: {changed}" for model in applied.models_changed]
    return lines or ["Nothing changed: this catalog is on sale already."]
