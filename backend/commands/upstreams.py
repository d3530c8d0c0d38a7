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
from backend_client.types.upstreams import Upstream, UpstreamPut

upstreams = typer.Typer(
    no_args_is_help=True,
    help="Model providers that calls are forwarded to. No key is shown.",
)

Name = Annotated[str, typer.Argument(help="The upstream's name.")]


@upstreams.command("list")
def list_all() -> None:
    """Show each upstream, where it is, and what it serves."""

    async def listed(client: AsyncFareboxClient) -> list[Upstream]:
        return [upstream async for upstream in client.upstreams.list()]

    for upstream in ask_api("upstreams", listed):
        keys = len(upstream.keys)
        typer.echo(
            f"{upstream.name}: {upstream.kind} at {upstream.base_url}, {upstream.source}, "
            f"priority {upstream.priority}, weight {upstream.weight}, "
            f"{keys} {'key' if keys == 1 else 'keys'}"
        )
        for model, own_name in sorted(upstream.models.items()):
            typer.echo(f"  {model}" + ("" if model == own_name else f" as {own_name}"))


@upstreams.command()
def show(name: Name) -> None:
    """Print an upstream as JSON, without its keys: what ``set`` takes."""
    upstream = ask_api("upstreams", lambda client: client.upstreams.get(name))
    terms = upstream.model_dump_json(
        indent=2, exclude={"name", "source", "keys", "changed_at"}, exclude_defaults=True
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
