"""The services of one machine: the engines that have no address, and our own processes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from backend.engines.environment import Role, for_role
from backend.engines.home import disk_errors_explained, free_port
from backend.engines.model import model_command, upstream_setting
from backend.engines.nats import nats_accepts, nats_command, nats_url
from backend.engines.postgres import (
    postgres_answers,
    postgres_command,
    postgres_url,
    prepare_postgres,
)
from backend.engines.processes import Command, kill_group
from backend.engines.stuck_nats import StuckNats
from backend.engines.supervisor import Service
from backend.errors import ConfigurationError
from backend.kit.extras import has_extra, missing_extra
from backend.settings import Settings

_BUILD_NOTICE_SECONDS = 4.0

PROJECT = Path(__file__).resolve().parents[2]
"""The checkout, or where the wheel's packages are."""
_CATALOGS = (PROJECT / "catalog.yaml", PROJECT / "backend" / "catalog.yaml")
"""The catalog that comes with Farebox, in a checkout and in a wheel."""


@dataclass
class Installation:
    """The services of one machine, and where people and programs reach them."""

    settings: Settings
    with_portal: bool = True
    say: Callable[[str], None] = lambda _line: None
    services: list[Service] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """The services' environment, besides this process's own."""

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses that a command needs to reach this installation, by setting."""
        return {
            "database_url": self.settings.database_url or self.environment["DATABASE_URL"],
            "nats_url": self.settings.nats_url or self.environment["NATS_URL"],
            "api_host": self.settings.api_host,
            "api_port": str(self.settings.api_port),
        }

    @property
    def url(self) -> str:
        """The one address to open in a browser."""
        return self.portal_url if self.with_portal else self.api_url

    @property
    def api_url(self) -> str:
        """Where programs on this machine reach the API."""
        return _address(self.settings.api_host, self.settings.api_port)

    @property
    def portal_url(self) -> str:
        """Where a browser on this machine reaches the portal."""
        return _address(self.settings.portal_host, self.settings.portal_port)


def plan(
    settings: Settings, *, with_portal: bool = True, say: Callable[[str], None]
) -> Installation:
    """Return what has to run for these settings. Starts nothing.

    Raises:
        ConfigurationError: an extra that brings a part of it is not installed.
    """
    _check_extras(settings, with_portal=with_portal)
    settings = settings.model_copy(
        update={
            "api_port": settings.api_port or free_port(),
            "portal_port": settings.portal_port or free_port(),
        }
    )
    installation = Installation(settings, with_portal, say)
    installation.environment.update(
        FAREBOX_HOME=str(settings.home),
        FAREBOX_API_HOST=settings.api_host,
        FAREBOX_API_PORT=str(settings.api_port),
        FAREBOX_API_URL=installation.api_url,
        FAREBOX_PORTAL_HOST=settings.portal_host,
        FAREBOX_PORTAL_PORT=str(settings.portal_port),
        FAREBOX_CATALOG=str(_catalog(settings)),
        PYTHONUNBUFFERED="1",
    )
    if settings.database_url is None:
        _add_postgres(installation)
    if settings.nats_url is None:
        _add_nats(installation)
    if not settings.upstreams:
        _add_model(installation)
    _add_own(installation)
    return installation


def _check_extras(settings: Settings, *, with_portal: bool) -> None:
    if with_portal and not has_extra("portal"):
        raise missing_extra("portal", "The portal", "leave it out with --no-portal")
    missing = {
        "DATABASE_URL": settings.database_url,
        "NATS_URL": settings.nats_url,
        "FAREBOX_UPSTREAMS": settings.upstreams,
    }
    variables = [name for name, value in missing.items() if not value]
    if variables and not has_extra("engines"):
        raise missing_extra("engines", "Running engines", f"set {', '.join(variables)}")


def _add_postgres(installation: Installation) -> None:
    home = installation.settings.home
    data = home / "postgres"

    async def prepare() -> None:
        with disk_errors_explained(home):
            await asyncio.to_thread(prepare_postgres, data, home / "logs" / "postgres.log")

    async def ready(pid: int) -> bool:
        return postgres_answers(data, pid)

    installation.environment["DATABASE_URL"] = postgres_url(data)
    installation.services.append(
        Service(
            "postgres",
            "PostgreSQL",
            command=lambda: postgres_command(data),
            prepare=prepare,
            ready=ready,
            ready_seconds=300.0,  # recovery after a crash replays the log
        )
    )


def _add_nats(installation: Installation) -> None:
    data, port = installation.settings.home / "nats", free_port()

    async def ready(_pid: int) -> bool:
        return nats_accepts(port)

    with disk_errors_explained(installation.settings.home):
        url = nats_url(data, port=port)
    installation.environment["NATS_URL"] = url
    installation.services.append(
        Service(
            "nats",
            "NATS JetStream",
            command=lambda: nats_command(data, port=port),
            ready=ready,
            ready_seconds=300.0,
            stuck=StuckNats(url, data, installation.settings.stream_name).reason,
        )
    )


def _add_model(installation: Installation) -> None:
    port = free_port()
    installation.environment["FAREBOX_UPSTREAMS"] = upstream_setting(port)
    installation.services.append(
        Service(
            "model",
            "the model",
            command=lambda: model_command(port),
            ready=_answers("127.0.0.1", port, "/health"),
            ready_seconds=120.0,
        )
    )


def _add_own(installation: Installation) -> None:
    engines = tuple(service.name for service in installation.services)
    stores = tuple(name for name in engines if name != "model")
    settings = installation.settings
    installation.services += [
        Service(
            "api",
            "the API",
            # It lets answers come to their end, and then has to close what is open
            command=_farebox(
                "api", installation.environment, stop_seconds=settings.shutdown_seconds + 10
            ),
            ready=_answers(_reachable(settings.api_host), settings.api_port, "/readyz"),
            needs=stores,
        ),
        Service(
            "worker",
            "the worker",
            command=_farebox("worker", installation.environment),
            ready=_runs,
            needs=stores,
        ),
    ]
    if installation.with_portal:
        installation.services.append(
            Service(
                "portal",
                "the portal",
                command=_farebox("portal", installation.environment),
                prepare=lambda: _build_portal(installation),
                ready=_answers(_reachable(settings.portal_host), settings.portal_port, "/"),
            )
        )


def _catalog(settings: Settings) -> Path:
    """The operator's catalog, or the one that comes with Farebox."""
    paths = (settings.catalog.resolve(), *_CATALOGS)
    return next((path for path in paths if path.exists()), paths[0])


def _farebox(
    role: Role, environment: Mapping[str, str], *, stop_seconds: float = 15.0
) -> Callable[[], Command]:
    # -P: what lies in the directory where Farebox is started is not to be imported
    arguments = [sys.executable, "-P", "-m", "backend.cli", role]
    command = Command(arguments, environment, inherits=for_role(role), stop_seconds=stop_seconds)
    return lambda: command


async def _build_portal(installation: Installation) -> None:
    log = installation.settings.home / "logs" / "portal.log"
    command = Command(
        [sys.executable, "-P", "-m", "portal", "build"],
        installation.environment,
        inherits=for_role("portal"),
        directory=PROJECT,
    )
    with disk_errors_explained(installation.settings.home), log.open("ab") as output:
        child = await asyncio.create_subprocess_exec(*command.arguments, **command.options(output))
    ended = asyncio.create_task(child.wait())
    try:
        await asyncio.wait([ended], timeout=_BUILD_NOTICE_SECONDS)
        if not ended.done():
            installation.say("  Building the portal's pages; once for each version")
        code = await ended
    finally:
        ended.cancel()
        if child.returncode is None:
            kill_group(child.pid, signal.SIGTERM)
            await child.wait()
    if code != 0:
        raise ConfigurationError(
            f"The portal's pages could not be built; see {log}. "
            "The first build downloads packages: is there a network?"
        )


async def _runs(_pid: int) -> bool:
    return True


def _answers(host: str, port: int, path: str) -> Callable[[int], Awaitable[bool]]:
    """Return a check: whether a GET of ``path`` is answered with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()

    async def ready(_pid: int) -> bool:
        try:
            async with asyncio.timeout(2.0):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(request)
                    status_line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        return b" 200 " in status_line

    return ready


def _reachable(host: str) -> str:
    """The host to reach a server on this machine that listens on ``host``, which may be all."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return host


def _address(host: str, port: int) -> str:
    """An address that works on this machine, also for a server on every interface."""
    host = _reachable(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
