"""``farebox operator``: who operates this installation."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.members.members import LOCAL_ISSUER
from backend.accounts.members.operators import (
    PersonNamed,
    grant_operator,
    list_operators,
    revoke_operator,
)
from backend.accounts.principal import COMMAND_LINE
from backend.commands.accounts import in_database, show, time_of
from backend.engines.running import running_settings
from backend.errors import CommandError
from backend.kit.addresses import mailbox

operator = typer.Typer(no_args_is_help=True, help="The people who operate this installation.")

Person = Annotated[
    str,
    typer.Argument(
        metavar="EMAIL|SUBJECT",
        help="A verified address, or the identity provider's name (sub) for the person.",
    ),
]
Subject = Annotated[
    bool, typer.Option("--subject", help="It is a subject, though it looks like an address.")
]


@operator.command("grant")
def grant(person: Person, subject: Subject = False) -> None:
    """Make somebody an operator, from their next request or sign-in on. May be repeated."""
    named = _named(person, subject=subject)

    async def work(connection: AsyncConnection) -> None:
        await grant_operator(connection, COMMAND_LINE, named)

    in_database(work)
    typer.echo(f"{person} is an operator.")


@operator.command("revoke")
def revoke(person: Person, subject: Subject = False) -> None:
    """Take a grant back. It ends what their sessions may do within a second."""
    named = _named(person, subject=subject)

    async def work(connection: AsyncConnection) -> None:
        await revoke_operator(connection, COMMAND_LINE, named)

    in_database(work)
    typer.echo(f"{person} is no longer an operator by a grant.")


@operator.command("list")
def show_operators() -> None:
    """List grants, revoked ones included, and who is an operator by their latest sign-in."""
    rows = [
        (person.person, person.how, time_of(person.since), time_of(person.revoked_at))
        for person in in_database(list_operators)
    ]
    show("PERSON", "BY", "SINCE", "REVOKED", rows=rows)


def _named(person: str, *, subject: bool) -> PersonNamed:
    if not subject and "@" in person:
        if mailbox(person) is None:
            raise CommandError(f"{person!r} is no e-mail address; --subject says it is a subject.")
        return PersonNamed(email=person)
    return PersonNamed(issuer=_issuer(), subject=person)


def _issuer() -> str:
    return (running_settings().oidc_issuer or LOCAL_ISSUER).rstrip("/")
