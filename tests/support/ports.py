"""Ports of loopback for servers that can't choose one themselves."""

from __future__ import annotations

import os
import random
import socket

_BELOW_EPHEMERAL = range(15_000, 32_000)
"""No outgoing connection is given one of these, as the kernel's own choice might be."""
_CHANCE = random.Random(os.getpid())


def free_port() -> int:
    """A port that was free a moment ago, and that another process is unlikely to choose next."""
    for port in _CHANCE.sample(_BELOW_EPHEMERAL, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("a hundred ports of loopback are in use")
