"""``farebox upstreams``: the model providers that calls are forwarded to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from backend.commands.operator_client import ask_api
from backend.errors import CommandError
from backend_client import AsyncFareboxClient
from backend_client.types.upstreams import Upstream, UpstreamPut, UpstreamTerms

upstreams = typer.Typer(
    no_args_is_help=True,
    help="Model providers that calls are forwarded to. No key is shown.",
)

Name = Annotated[str, typer.Argument(help="The upstream's name.")]
Unserved = Annotated[
    bool, typer.Option("--leave-unserved", help="Also if models are left without an upstream.")
]


@upstreams.command("list")
def list_all() -> None:
    """Show each upstream, where it is, what it serves, and how it fares."""

    async def listed(client: AsyncFareboxClient) -> list[Upstream]:
        return [upstream async for upstream in client.upstreams.list()]

    for upstream in ask_api("upstreams", listed):
        keys = len(upstream.keys)
        typer.echo(
            f"{upstream.name}: {upstream.kind} at {upstream.base_url}, {upstream.source}, "
            f"priority {upstream.priority}, weight {upstream.weight}, "
            f"{keys} {'key' if keys == 1 else 'keys'}"
        )
        typer.echo(f"  {_fares(upstream)}")
        for model, own_name in sorted(upstream.models.items()):
            typer.echo(f"  {model}" + ("" if model == own_name else f" as {own_name}"))


@upstreams.command()
def show(name: Name) -> None:
    """Print an upstream as JSON, without its keys: what ``set`` takes."""
    upstream = ask_api("upstreams", lambda client: client.upstreams.get(name))
    terms = upstream.model_dump_json(
        indent=2, include=set(UpstreamTerms.model_fields), exclude_defaults=True
    )
    typer.echo(terms)


@upstreams.command("set")
def set_one(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The upstream as JSON; - reads standard input.")],
) -> None:
    """Make an upstream, or change it to what a file says; without ``keys`` it keeps its own.

    Keys stand in the file, and not among the arguments, which other users of the machine can see.
    """
    try:
        content = sys.stdin.read() if str(file) == "-" else file.read_text()
        wanted = UpstreamPut.model_validate_json(content)
    except OSError as error:
        raise CommandError(f"{file} can't be read: {error.strerror}.") from error
    except ValidationError as error:
        # Without what was given, which may be a key
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_context=False)
        ]
        raise CommandError("\n".join(faults)) from None
    upstream = ask_api("upstreams", lambda client: client.upstreams.put(name, wanted))
    typer.echo(f"{upstream.name} is set; calls go to it within two seconds.")


@upstreams.command()
def delete(name: Name) -> None:
    """Delete an upstream with its keys; calls that had chosen it finish there."""
    ask_api("upstreams", lambda client: client.upstreams.delete(name))
    typer.echo(f"{name} is deleted.")


@upstreams.command()
def disable(name: Name, leave_unserved: Unserved = False) -> None:
    """Send no more calls to an upstream, until it is enabled."""
    ask_api(
        "upstreams", lambda client: client.upstreams.disable(name, leave_unserved=leave_unserved)
    )
    typer.echo(f"{name} is disabled; calls stop within two seconds.")


@upstreams.command()
def enable(name: Name) -> None:
    """Send calls to an upstream again."""
    ask_api("upstreams", lambda client: client.upstreams.enable(name))
    typer.echo(f"{name} is enabled; calls go to it within two seconds.")


@upstreams.command()
def retire(name: Name, leave_unserved: Unserved = False) -> None:
    """Send no calls to an upstream ever again, and destroy its keys."""
    ask_api(
        "upstreams", lambda client: client.upstreams.retire(name, leave_unserved=leave_unserved)
    )
    typer.echo(f"{name} is retired; calls stop within two seconds.")


@upstreams.command("test")
def send_test(
    name: Name,
    model: Annotated[str | None, typer.Option(help="As customers name it.")] = None,
) -> None:
    """Send an upstream a call of one word by each key; exit with 1 if one does not go well."""
    outcome = ask_api("upstreams", lambda client: client.upstreams.test(name, model=model))
    status = "no answer" if outcome.status is None else str(outcome.status)
    typer.echo(f"{outcome.model} by {outcome.protocol}: {status} after {outcome.seconds} s")
    if outcome.detail:
        typer.echo(f"  {outcome.detail}")
    for place, key in enumerate(outcome.keys, start=1):
        named = key.environment or (f"…{key.last_four}" if key.last_four else "not shown")
        went = "works" if key.went_well else f"fails: {key.detail}"
        typer.echo(f"  key {place} ({named}): {went}")
    if not outcome.went_well:
        raise typer.Exit(1)


def _fares(upstream: Upstream) -> str:
    """Return in a line how an upstream fares."""
    health = upstream.health
    if upstream.state != "active":
        return upstream.state
    parts = [f"{health.state} ({health.processes} processes)", f"{health.under_way} calls now"]
    if health.error_rate is not None:
        parts.append(f"{health.error_rate:.1%} of {health.attempts} attempts failed")
    if health.first_token is not None:
        parts.append(f"first token {health.first_token.p50} s, p95 {health.first_token.p95} s")
    return ", ".join(parts)
