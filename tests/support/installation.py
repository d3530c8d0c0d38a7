"""Farebox as processes of their own, each of which can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import httpx
import psutil

from backend.engines.nats import nats_url, start_nats
from backend.engines.postgres import postgres_url, start_postgres
from backend.engines.processes import RunningEngine
from backend.kit.tls import tls_context
from tests.support.ports import free_port
from tests.support.waiting import until

STREAM = "CRASH"


class CrashableInstallation:
    """PostgreSQL, NATS, the API and the worker on one home, as ``farebox`` runs them."""

    def __init__(self, home: Path, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self.home = home
        self._environment = environment
        self._nats_port = free_port()
        self._api_port = free_port()
        self.database_url = postgres_url(home / "postgres")
        self.nats_url = nats_url(home / "nats", port=self._nats_port)
        self.api_url = f"http://127.0.0.1:{self._api_port}"
        self._engines: dict[str, RunningEngine] = {}
        self._roles: dict[str, subprocess.Popen[bytes]] = {}

    def start_engines(self) -> None:
        """Start PostgreSQL and NATS on what they had stored before."""
        for name in ("postgres", "nats"):
            self._start(name)

    async def start_roles(self) -> None:
        """Start the API and the worker, and return when both can work."""
        for name in ("api", "worker"):
            self._start(name)
        await self.until_ready()

    async def until_ready(self) -> None:
        """Return when the API says that it is, which it does once it reaches both engines."""
        await until(self._ready, seconds=240)

    async def takes_no_more(self) -> bool:
        """Tell whether the API lets nobody in: it is away, or about to stop."""
        async with httpx.AsyncClient(verify=tls_context()) as client:
            try:
                await client.get(f"{self.api_url}/healthz")
            except httpx.TransportError:
                return True
        return False

    def kill(self, name: str) -> None:
        """Kill a process and all of its children at once: SIGKILL, nothing is finished."""
        process = self._process(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self, name: str) -> int:
        """Send SIGTERM, and return the status that the process ends with."""
        process = self._process(name)
        process.terminate()
        return process.wait(90)

    def restart(self, name: str) -> None:
        """Start what was killed, on the same data."""
        self._start(name)

    async def supervise(self) -> None:
        """Start again any role that stops by itself, as ``farebox up`` does; for ever."""

        async def never() -> bool:
            for name, process in self._roles.items():
                if process.poll() not in (None, -signal.SIGKILL):
                    self._start(name)
            return False

        await until(never, seconds=600)

    def stop(self) -> None:
        """Stop everything that still runs."""
        for process in self._roles.values():
            process.terminate()
        for process in self._roles.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for engine in self._engines.values():
            engine.stop()

    def pid(self, name: str) -> int:
        """The process id of an engine or a role."""
        return self._process(name).pid

    def cpu_seconds(self) -> dict[str, float]:
        """What each engine and role has spent, with its children: CPU seconds."""
        spent = {}
        for name in (*self._engines, *self._roles):
            own = psutil.Process(self.pid(name))
            family = [own, *own.children(recursive=True)]
            spent[name] = sum(sum(process.cpu_times()[:2]) for process in family)
        return spent

    def log(self, name: str) -> str:
        """What a role has written."""
        return (self.home / f"{name}.log").read_text()

    def _process(self, name: str) -> subprocess.Popen[bytes]:
        return self._engines[name].process if name in self._engines else self._roles[name]

    def _start(self, name: str) -> None:
        starts: dict[str, Callable[[], RunningEngine]] = {
            "postgres": lambda: start_postgres(self.home / "postgres"),
            "nats": lambda: start_nats(self.home / "nats", port=self._nats_port),
        }
        if name in starts:
            self._engines[name] = starts[name]()
        else:
            self._roles[name] = self._start_role(name)

    def _start_role(self, name: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "NATS_URL": self.nats_url,
            "FAREBOX_HOME": str(self.home),
            "FAREBOX_API_PORT": str(self._api_port),
            "FAREBOX_STREAM_NAME": STREAM,
            "FAREBOX_LOG_LEVEL": "WARNING",
            **self._environment,
        }
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "backend.cli", name],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _ready(self) -> bool:
        for name, process in self._roles.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} stopped:\n{self.log(name)[-3000:]}")
        async with httpx.AsyncClient(verify=tls_context()) as client:
            try:
                return (await client.get(f"{self.api_url}/readyz")).status_code == 200
            except httpx.TransportError:
                return False
