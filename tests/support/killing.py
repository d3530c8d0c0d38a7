"""Engines that are killed, as a power cut or the kernel would."""

from __future__ import annotations

import psutil

from backend.engines.processes import RunningEngine
from backend.engines.runfile import still_running


def kill(engine: RunningEngine) -> None:
    """Kill -9 an engine, and return once all that it had started has ended too.

    PostgreSQL's own children go when they notice, and the data can't be opened again before.
    """
    process = psutil.Process(engine.process.pid)
    children = process.children(recursive=True)
    engine.process.kill()
    engine.process.wait()
    if alive := still_running(children, 90):
        raise RuntimeError(f"still running after its parent was killed: {alive}")
