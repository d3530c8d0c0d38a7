"""Serve a model file until SIGTERM: ``python -m backend.engines.model_server FILE PORT``.

A process of its own, because the library logs to its standard output and takes the cores.
"""

from __future__ import annotations

import signal
import sys

import xllamacpp

from backend.engines.model import CONTEXT_TOKENS

_AT_A_TIME = 2
_THREADS = 1
"""Several wait for one another at each layer. Where the cores are shared with the rest of an
installation, two took ten times as long as one, and twenty times as much of the processor."""


def main(file: str, port: int) -> None:
    """Load ``file``, answer on loopback, and end on a signal."""
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = file
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = CONTEXT_TOKENS * _AT_A_TIME
    parameters.n_parallel = _AT_A_TIME
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = _THREADS
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"listening on {server.listening_address}\n")
    signal.sigwait(stop)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
