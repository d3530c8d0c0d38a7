"""``farebox dead-letters``: messages that could not be counted."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from backend.commands.operator_client import ask_api
from backend.errors import CommandError
from backend_client import AsyncFareboxClient
from backend_client.types.dead_letters import DeadLetter, DeadLetterReplay
from edge.log_bounds import on_one_line

Answer = TypeVar("Answer")
Sequence = Annotated[int, typer.Argument(min=1, help="The letter, by its number in the list.")]

dead_letters = typer.Typer(no_args_is_help=True, help="Messages that could not be counted.")


@dead_letters.command("list")
def list_letters() -> None:
    """List dead letters, oldest first, with their reasons."""
    letters = _do(lambda client: client.dead_letters.list().all())
    if not letters:
        typer.echo("There are no dead letters.")
        return
    Console().print(_table(letters))


@dead_letters.command()
def show(sequence: Sequence) -> None:
    """Print a letter's events as JSON, to be corrected; or, if it is unreadable, its text."""
    letter = _do(lambda client: client.dead_letters.get(sequence))
    typer.echo(letter.reason, err=True)
    if letter.events is None:
        typer.echo(letter.text)
    else:
        typer.echo(json.dumps(letter.events, indent=2, ensure_ascii=False))


@dead_letters.command()
def replay(
    sequence: Sequence,
    events: Annotated[
        Path | None, typer.Option(help="Events to count in its place, as `show` writes them.")
    ] = None,
) -> None:
    """Count a letter: as it is, or with the events of a file in its place."""
    wanted = DeadLetterReplay(events=None if events is None else _read(events))
    result = _do(lambda client: client.dead_letters.replay(sequence, wanted))
    duplicates = f", {result.duplicates:,} were counted before" if result.duplicates else ""
    typer.echo(f"{result.accepted:,} events are on their way{duplicates}.")


@dead_letters.command()
def discard(
    sequence: Sequence,
    yes: Annotated[bool, typer.Option("--yes", help="Discard without asking.")] = False,
) -> None:
    """Delete a letter. Its events are never counted."""
    if not yes:
        typer.confirm(f"Discard letter {sequence}? Its events are never counted.", abort=True)
    _do(lambda client: client.dead_letters.discard(sequence))
    typer.echo(f"Letter {sequence} is deleted.")


def _do(call: Callable[[AsyncFareboxClient], Awaitable[Answer]]) -> Answer:
    return ask_api("farebox dead-letters", call)


def _table(letters: list[DeadLetter]) -> Table:
    table = Table("Letter", "Set aside (UTC)", "Events", "Bytes", "Reason")
    for letter in letters:
        count = "?" if letter.event_count is None else f"{letter.event_count:,}"
        when = f"{letter.set_aside_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        table.add_row(
            str(letter.sequence), when, count, f"{letter.size_bytes:,}", on_one_line(letter.reason)
        )
    return table


def _read(path: Path) -> list[Any]:
    try:
        # Numbers as text: a float would lose digits
        document = json.loads(path.read_bytes(), parse_float=str)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror or error}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, list) or not document:
        raise CommandError(f"{path} should contain an array of events.")
    return document
