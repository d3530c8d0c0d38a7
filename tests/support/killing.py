"""Engines that are killed, as a power cut or the kernel would."""

from __future__ import annotations

import psutil

from backend.engines.processes import RunningEngine


def kill(engine: RunningEngine) -> None:
    """Kill -9 an engine, and return once all that it had started has ended too.

    PostgreSQL's own children go when they notice, and the data can't be opened again before.
    """
    process = psutil.Process(engine.process.pid)
    children = process.children(recursive=True)
    engine.process.kill()
    engine.process.wait()
    _, alive = psutil.wait_procs(children, timeout=90)
    if alive:
        raise RuntimeError(f"still running after its parent was killed: {alive}")
