"""``farebox up``: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Annotated

import typer

from backend.engines.home import check_port, make_secret_file, prepare_home
from backend.engines.runfile import HomeLock, RunFile, run_file_path, stop_left_behind
from backend.engines.services import plan
from backend.engines.supervisor import Supervisor
from backend.settings import Settings


def up(
    portal: Annotated[bool, typer.Option(help="Run the portal beside the API.")] = True,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    PostgreSQL, NATS and a model are started too where DATABASE_URL, NATS_URL and
    FAREBOX_UPSTREAMS give no address.
    """
    settings = Settings()
    prepare_home(settings.home)
    lock = HomeLock(settings.home)
    lock.acquire()
    try:
        _stop_leftovers(settings)
        _check_ports(settings, with_portal=portal)
        make_secret_file(settings.local_sign_in_secret_file)
        if settings.secrets_key is None:
            make_secret_file(settings.secrets_key_file)
        asyncio.run(_supervise(settings, with_portal=portal))
    finally:
        lock.release()


async def _supervise(settings: Settings, *, with_portal: bool) -> None:
    began = time.monotonic()
    installation = plan(settings, with_portal=with_portal, say=typer.echo)
    path = run_file_path(settings.home)
    run = RunFile(path, os.getpid(), installation.url, installation.addresses)
    run.write()
    typer.echo(f"Starting Farebox; its data is in {settings.home}")
    supervisor = Supervisor(installation.services, home=settings.home, run=run, say=typer.echo)

    def stop(number: signal.Signals) -> None:
        typer.echo(f"\nStopping ({number.name}); press again to kill what still runs")
        supervisor.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)

    def ready() -> None:
        seconds = time.monotonic() - began
        typer.echo(f"\nFarebox is ready ({seconds:.1f} s): {installation.url}")
        typer.echo(f"Ctrl-C stops it. Logs are in {settings.home / 'logs'}\n")

    await supervisor.run(ready)
    typer.echo("Stopped")


def _stop_leftovers(settings: Settings) -> None:
    run = RunFile.read(run_file_path(settings.home))
    stopped = stop_left_behind(run.children)
    if stopped:
        typer.echo(f"A Farebox that was killed left {', '.join(stopped)} running; stopped")
    run.remove()


def _check_ports(settings: Settings, *, with_portal: bool) -> None:
    check_port(settings.api_host, settings.api_port, purpose="the API", variable="FAREBOX_API_PORT")
    if with_portal:
        check_port(
            settings.portal_host,
            settings.portal_port,
            purpose="the portal",
            variable="FAREBOX_PORTAL_PORT",
        )
