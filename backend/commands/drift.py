"""``farebox drift``: providers' reports compared with our own counts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.metering.tokens.drift import drift_report
from backend.settings import Settings
from backend_client.types.common import plain
from backend_client.types.drift import DriftReport, ModelDrift


def drift(
    days: Annotated[int, typer.Option(min=1, max=400, help="How many, today (UTC) included.")] = 30,
    model: Annotated[
        list[str] | None, typer.Option(help="Only this model; repeat for more.")
    ] = None,
) -> None:
    """Show how far providers' reports are from our own counts; exit with 1 beyond the tolerance."""
    report = asyncio.run(_report(running_settings(), days, model or []))
    if not report.models:
        typer.echo("No call was both reported and counted in that time.")
        return
    table = Table("MODEL", "METER", "REPORTED", "COUNTED", "CALLS", "DRIFT", "", box=None)
    for drift in report.models:
        table.add_row(
            drift.model,
            drift.meter,
            plain(drift.reported),
            plain(drift.counted),
            f"{drift.events:,}",
            _percent(drift),
            "beyond the tolerance" if drift.alert else "",
        )
    Console(markup=False, emoji=False, highlight=False).print(table)
    typer.echo(f"{report.start} to {report.end}; tolerance {plain(report.tolerance * 100)} %.")
    if any(drift.alert for drift in report.models):
        raise typer.Exit(1)


async def _report(settings: Settings, days: int, models: list[str]) -> DriftReport:
    end = datetime.now(UTC).date() + timedelta(days=1)
    async with ready_database(settings) as database, database.begin() as connection:
        return await drift_report(
            connection, settings, start=end - timedelta(days=days), end=end, models=models
        )


def _percent(model: ModelDrift) -> str:
    return "?" if model.ratio is None else f"{model.ratio * 100:+.2f} %"
