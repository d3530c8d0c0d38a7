"""Starts services in the order they need one another, keeps them running, and stops them all.

A service is ready when its condition is met, not after some time. One that ends later is restarted,
at once and then ever more slowly. However the supervisor ends, the services end too.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.engines.home import disk_errors_explained, is_disk_full
from backend.engines.processes import Command, kill_group
from backend.engines.runfile import RunFile, stop_left_behind
from backend.errors import ConfigurationError
from backend.kit.backoff import pause_after

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 15.0
_STEADY_SECONDS = 30.0
"""A service that ran this long was healthy: its next restart is immediate again."""
_CHECK_SECONDS = 0.03
_WATCH_SECONDS = 2.0
_LOG_BYTES = 10 * 1024 * 1024


class _NotReadyError(Exception):
    """A service did not get ready; the message has its exit and its last output."""


@dataclass(frozen=True)
class Service:
    """One child, as the supervisor sees it."""

    name: str
    """Names its log, ``logs/<name>.log``."""
    title: str
    """Its name within a sentence."""
    command: Callable[[], Command]
    """Asked before each start."""
    ready: Callable[[int], Awaitable[bool]]
    """Given the process id, returns whether it can be used."""
    needs: Sequence[str] = ()
    """The services that must be ready before this one starts; it is stopped before them."""
    prepare: Callable[[], Awaitable[None]] | None = None
    """Runs once, before the first start."""
    ready_seconds: float = 60.0
    stuck: Callable[[], Awaitable[str | None]] | None = None
    """Asked every few seconds while it runs: why it does not do its work, though it could."""

    @property
    def headline(self) -> str:
        """Its name at the start of a sentence."""
        return self.title[0].upper() + self.title[1:]


class Supervisor:
    """Runs the services of one home until it is asked to stop."""

    def __init__(
        self, services: Sequence[Service], *, home: Path, run: RunFile, say: Callable[[str], None]
    ) -> None:
        self._services = {service.name: service for service in services}
        self._home = home
        self._run = run
        self._say = say
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._commands: dict[str, Command] = {}
        self._ready = {service.name: asyncio.Event() for service in services}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask for an orderly end; asked twice, kill what still runs."""
        if self._stopping.is_set():
            for child in self._children.values():
                if child.returncode is None:
                    kill_group(child.pid, signal.SIGKILL)
        self._stopping.set()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Run until :meth:`stop`. ``when_ready`` is called once every service is ready.

        Raises:
            ConfigurationError: a service could not be started; all others have been stopped.
        """
        keepers = [asyncio.create_task(self._keep(service)) for service in self._services.values()]
        announced = asyncio.create_task(self._announce(when_ready))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([stopping, *keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            failures = [task.exception() for task in keepers if task.done()]
            self._stopping.set()
            for task in (announced, stopping, *keepers):
                task.cancel()
            await asyncio.gather(announced, stopping, *keepers, return_exceptions=True)
            await self._stop_all()
        for failure in failures:
            if failure is not None:
                raise failure

    async def _announce(self, when_ready: Callable[[], None]) -> None:
        for ready in self._ready.values():
            await ready.wait()
        when_ready()

    async def _keep(self, service: Service) -> None:
        """Start the service once what it needs is ready, and again whenever it stops."""
        for name in service.needs:
            await self._ready[name].wait()
        if service.prepare:
            await service.prepare()
        failures = 0
        while True:
            began = time.monotonic()
            child = await self._start(service)
            try:
                await self._until_ready(service, child)
            except _NotReadyError as error:
                if not self._ready[service.name].is_set():
                    raise ConfigurationError(str(error)) from error
                await self._stop_one(service.name)
                happened = str(error)
            else:
                self._say(f"  {service.headline} is ready ({time.monotonic() - began:.1f} s)")
                self._ready[service.name].set()
                happened = await self._until_it_ends(service, child)
            if time.monotonic() - began > _STEADY_SECONDS:
                failures = 0
            pause = pause_after(
                failures, first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS
            )
            when = f"in {pause:g} s" if pause else "now"
            self._say(f"{happened}\nStarting {service.title} again {when}")
            await self._end_what_it_started(service)
            await asyncio.sleep(pause)
            failures += 1

    async def _start(self, service: Service) -> asyncio.subprocess.Process:
        with disk_errors_explained(self._home):
            command = service.command()
            log = self._log(service)
            roll_over(log)
            with log.open("ab") as output:
                child = await asyncio.create_subprocess_exec(
                    *command.arguments, **command.options(output)
                )
            self._children[service.name] = child
            self._commands[service.name] = command
            self._run.record(service.name, child.pid)
        return child

    async def _until_ready(self, service: Service, child: asyncio.subprocess.Process) -> None:
        ended = asyncio.create_task(child.wait())
        try:
            async with asyncio.timeout(service.ready_seconds):
                while not await service.ready(child.pid):
                    await asyncio.wait([ended], timeout=_CHECK_SECONDS)
                    if ended.done():
                        raise _NotReadyError(self._why_not(service, "stopped while starting"))
        except TimeoutError as error:
            within = f"was not ready within {service.ready_seconds:.0f} s"
            raise _NotReadyError(self._why_not(service, within)) from error
        finally:
            ended.cancel()

    async def _until_it_ends(self, service: Service, child: asyncio.subprocess.Process) -> str:
        """Wait until the service has stopped and return why; stop one that is stuck."""
        ended = asyncio.create_task(child.wait())
        try:
            while not ended.done():
                await asyncio.wait([ended], timeout=_WATCH_SECONDS)
                await asyncio.to_thread(roll_over, self._log(service))
                if not ended.done() and service.stuck and (reason := await service.stuck()):
                    await self._stop_one(service.name)
                    return f"{service.headline} {reason}. It was stopped."
        finally:
            ended.cancel()
        return self._what_happened(service, ended.result())

    def _log(self, service: Service) -> Path:
        return self._home / "logs" / f"{service.name}.log"

    def _why_not(self, service: Service, what: str) -> str:
        if is_disk_full(self._home):
            return (
                f"{service.headline} {what}: the disk that holds {self._home} is full. Free some."
            )
        log = self._log(service)
        last_lines = log.read_text(errors="replace").strip().splitlines()[-12:]
        output = "".join(f"\n  | {line}" for line in last_lines)
        return f"{service.headline} {what}. The end of {log}:{output}"

    def _what_happened(self, service: Service, code: int) -> str:
        how = f"was killed by signal {-code}" if code < 0 else f"stopped with status {code}"
        full = " The disk is full: free some." if is_disk_full(self._home) else ""
        return f"{service.headline} {how}.{full} See {self._log(service)}"

    async def _stop_all(self) -> None:
        """Stop every service, each after those that need it."""
        left = dict(self._children)
        while left:
            needed = {need for name in left for need in self._services[name].needs}
            layer = [name for name in left if name not in needed]
            await asyncio.gather(*(self._stop_one(name) for name in layer))
            for name in layer:
                del left[name]
        await asyncio.to_thread(stop_left_behind, self._run.children)
        self._run.remove()

    async def _stop_one(self, name: str) -> None:
        child, command = self._children[name], self._commands[name]
        if child.returncode is None:
            child.send_signal(command.stop_signal)
            try:
                async with asyncio.timeout(command.stop_seconds):
                    await child.wait()
            except TimeoutError:
                self._say(f"{self._services[name].headline} did not stop in time and is killed")
                kill_group(child.pid, signal.SIGKILL)
                await child.wait()

    async def _end_what_it_started(self, service: Service) -> None:
        """End the children of a killed child, which could not do so."""
        identity = self._run.children.get(service.name)
        if identity:
            await asyncio.to_thread(stop_left_behind, {service.name: identity})


def roll_over(log: Path, most_bytes: int = _LOG_BYTES) -> None:
    """Move what a log holds to ``.log.1`` once it is too long, while its process goes on writing.

    The process has the file open to append, so the file is copied and emptied, not renamed. A disk
    that is full has room again for it: then what was in the log is lost, and not the service.
    """
    try:
        if log.stat().st_size <= most_bytes:
            return
        with suppress(OSError):
            shutil.copyfile(log, log.with_suffix(".log.1"))
            log.with_suffix(".log.1").chmod(0o600)
        os.truncate(log, 0)
    except FileNotFoundError:
        return
