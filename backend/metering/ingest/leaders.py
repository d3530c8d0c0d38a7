"""Keeps the leaders of the streams of usage on different servers of a NATS cluster.

A lost server then takes the leader of one stream with it at most, and the others take writes while
that one elects another, which lasts 4 to 9 seconds and can't be set.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

import structlog
from nats.aio.client import Client
from nats.js.api import StreamInfo

_log = structlog.get_logger(__name__)

REQUEST_SECONDS: Final = 2.0
"""Between two attempts to make a stream, which can fail for want of disk or of servers."""
_BODY_REFUSED: Final = 10038
"""What a server before 2.11 answers, to whom nobody can name the next leader."""


class Standing(NamedTuple):
    """Who leads a stream, and who could: the servers whose copy is complete."""

    leader: str
    others: frozenset[str]


class Move(NamedTuple):
    """The stream whose leader has to be another server."""

    stream: str
    to: str


def standing_of(info: StreamInfo | None) -> Standing | None:
    """Return how a stream stands; None without a leader, or outside of a cluster."""
    if info is None or info.cluster is None or not info.cluster.leader:
        return None
    return Standing(info.cluster.leader, servers_in_step(info))


def servers_in_step(info: StreamInfo) -> frozenset[str]:
    """Return the servers beside the leader whose copy of a stream is complete."""
    replicas = (info.cluster.replicas or []) if info.cluster else []
    return frozenset(
        str(replica.name) for replica in replicas if replica.current and not replica.offline
    )


def next_move(standings: Mapping[str, Standing]) -> Move | None:
    """Return the move after which fewer streams share their leader's server; None if none helps.

    Of streams with one leader the last is moved, to a server that leads none.
    """
    led = Counter(standing.leader for standing in standings.values())
    for stream, standing in reversed([*standings.items()]):
        free = sorted(server for server in standing.others if not led[server])
        if led[standing.leader] > 1 and free:
            return Move(stream, free[0])
    return None


async def ask_to_lead(client: Client, move: Move) -> None:
    """Ask a stream's leader to leave it to another server; raise what NATS does.

    It may decline, and on servers before 2.11 another than the named one may follow.
    """
    placement = {"placement": {"preferred": move.to}}
    code = await _step_down(client, move.stream, json.dumps(placement).encode())
    if code == _BODY_REFUSED:
        code = await _step_down(client, move.stream, b"")
    if code is None:
        _log.info("nats.leader_moved", stream=move.stream, server=move.to)
    else:
        _log.info("nats.leader_stays", stream=move.stream, server=move.to, code=code)


async def _step_down(client: Client, stream: str, body: bytes) -> int | None:
    """Return the code of the refusal, None if there is none."""
    subject = f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}"
    answer = await client.request(subject, body, timeout=REQUEST_SECONDS)
    error = json.loads(answer.data).get("error")
    return int(error["err_code"]) if error else None
