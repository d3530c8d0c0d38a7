"""``farebox catalog``: publish ``catalog.yaml``, export it, list its rates of tax."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from backend.accounts.principal import COMMAND_LINE
from backend.catalog.published import load_catalog, published_catalog
from backend.catalog.publishing import publish_catalog
from backend.catalog.tax_rates import tax_table
from backend.catalog.yaml_writing import catalog_as_yaml
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.errors import ConfigurationError
from backend.settings import Settings
from backend_client.types.catalog import Catalog, CatalogApplied
from backend_client.types.common import plain
from backend_client.types.taxes import CatalogTax

catalog = typer.Typer(no_args_is_help=True, help="Models and plans on sale, and rates of tax.")


@catalog.command()
def apply(
    path: Annotated[
        Path | None, typer.Argument(help="The catalog file; FAREBOX_CATALOG if none.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would change; publish nothing.")
    ] = False,
) -> None:
    """Publish what changed in the catalog file. No subscription changes."""
    settings = running_settings()
    loaded = load_catalog(path or settings.catalog)
    applied = asyncio.run(_apply(settings, loaded, check=check))
    for line in _describe(applied, check=check):
        typer.echo(line)


@catalog.command()
def export(
    path: Annotated[
        Path | None, typer.Argument(help="The file to write, which must not exist yet.")
    ] = None,
) -> None:
    """Write the published catalog as YAML: to a file, or to standard output."""
    text = catalog_as_yaml(asyncio.run(_published(running_settings())))
    if path is None:
        typer.echo(text, nl=False)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error
    typer.echo(f"Written to {path}.")


async def _published(settings: Settings) -> Catalog:
    async with ready_database(settings) as database, database.begin() as connection:
        return await published_catalog(connection)


@catalog.command()
def taxes() -> None:
    """List the published rates of tax, and the days on which they are in force."""
    for tax in asyncio.run(_taxes(running_settings())):
        typer.echo(_tax_line(tax))


async def _taxes(settings: Settings) -> list[CatalogTax]:
    async with ready_database(settings) as database, database.begin() as connection:
        return await tax_table(connection)


def _tax_line(tax: CatalogTax) -> str:
    place = tax.country if tax.region is None else f"{tax.country}-{tax.region}"
    if tax.except_regions:
        place += f" but {', '.join(tax.except_regions)}"
    parts = [
        f"{tax.id}: {tax.name} {plain(tax.percent)}% in {place}",
        "within prices" if tax.inclusive else "on top of prices",
    ]
    if tax.reverse_charge:
        parts.append("reverse charge for a business abroad")
    if tax.valid_from is not None:
        parts.append(f"from {tax.valid_from}")
    if tax.valid_until is not None:
        parts.append(f"until {tax.valid_until}")
    return ", ".join(parts)


async def _apply(settings: Settings, loaded: Catalog, *, check: bool) -> CatalogApplied:
    async with ready_database(settings) as database, database.engine.connect() as connection:
        applied = await publish_catalog(connection, COMMAND_LINE, loaded)
        await (connection.rollback() if check else connection.commit())
        return applied


def _describe(applied: CatalogApplied, *, check: bool) -> list[str]:
    would = "would be published" if check else "published"
    changed = "would change" if check else "changed"
    lines = [f"plan {plan}: a new version {would}" for plan in applied.plans_published]
    off = "would be taken off sale" if check else "taken off sale"
    lines += [f"plan {plan}: {off}; who is on it stays on it" for plan in applied.plans_withdrawn]
    lines += [f"model {model}: {changed}" for model in applied.models_changed]
    lines += [f"tax {tax}: {changed}" for tax in applied.taxes_changed]
    lines += [f"meter {meter}: {changed}" for meter in applied.meters_changed]
    lines = lines or ["Nothing changed: this catalog is on sale already."]
    return lines + [f"Look again: {sentence}" for sentence in applied.advice]
