"""``farebox notifications``: notifications to people and systems."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from backend.commands.operator_client import ask_api
from backend.errors import CommandError
from backend_client import AsyncFareboxClient
from backend_client.types.notifications import (
    ChannelName,
    Notification,
    NotificationKind,
    NotificationState,
)

Answer = TypeVar("Answer")
Channel = Annotated[ChannelName | None, typer.Option(help="Only over this channel.")]

notifications = typer.Typer(no_args_is_help=True, help="Notifications to people and systems.")

_WIDE = 1000


@notifications.command("list")
def list_of_all(
    tenant: Annotated[str | None, typer.Option(help="A tenant's id or slug.")] = None,
    kind: Annotated[
        list[NotificationKind] | None, typer.Option(help="This kind; repeat for more.")
    ] = None,
    state: Annotated[NotificationState | None, typer.Option(help="Only this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
) -> None:
    """List notifications, newest first, with the state of each channel."""
    listed = _do(lambda client: _newest(client, tenant, kind or [], state, limit))
    if not listed:
        typer.echo("There are no such notifications.")
        return
    table = Table("ID", "AT (UTC)", "KIND", "TENANT", "STATE", "CHANNELS", box=None, pad_edge=False)
    for notification in listed:
        at = f"{notification.event.timestamp:%Y-%m-%d %H:%M:%S}"
        channels = ", ".join(f"{each.channel}: {each.state}" for each in notification.deliveries)
        table.add_row(
            notification.id,
            at,
            notification.event.type,
            notification.event.tenant_id,
            notification.state,
            channels,
        )
    # If the output is not a terminal, lines are not broken: a program reads them.
    width = None if sys.stdout.isatty() else _WIDE
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


@notifications.command()
def show(
    notification_id: Annotated[str, typer.Argument(metavar="ID", help="Its id: ntf_…")],
) -> None:
    """Print a notification as JSON, with the state of each channel."""
    typer.echo(
        _do(lambda client: client.notifications.get(notification_id)).model_dump_json(indent=2)
    )


@notifications.command()
def resend(
    notification_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Their ids: ntf_…")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    channel: Channel = None,
) -> None:
    """Send undelivered notifications again, under the same ids; with --channel any."""
    if failed == bool(notification_ids):
        raise CommandError("Name notifications, or say --failed.")
    if failed and channel is not None:
        raise CommandError("--failed sends over the channels that failed; leave out --channel.")
    sent = _do(lambda client: _resend(client, notification_ids, channel))
    typer.echo(f"{sent:,} queued.")


@notifications.command()
def test(
    tenant: Annotated[str, typer.Option(help="A tenant's id or slug, of which it says it is.")],
) -> None:
    """Send a test event to your endpoint; customers get no letter."""
    sent = _do(lambda client: client.notifications.test(tenant=tenant))
    typer.echo(f"{sent.id} queued.")


async def _newest(
    client: AsyncFareboxClient,
    tenant: str | None,
    kinds: list[NotificationKind],
    state: NotificationState | None,
    limit: int,
) -> list[Notification]:
    notifications = []
    async for notification in client.notifications.list(tenant=tenant, kind=kinds, state=state):
        notifications.append(notification)
        if len(notifications) == limit:
            break
    return notifications


async def _resend(
    client: AsyncFareboxClient, ids: list[str] | None, channel: ChannelName | None
) -> int:
    wanted = ids or [
        notification.id
        async for notification in client.notifications.list(state=NotificationState.FAILED)
    ]
    for notification_id in wanted:
        await client.notifications.resend(notification_id, channel=channel)
    return len(wanted)


def _do(call: Callable[[AsyncFareboxClient], Awaitable[Answer]]) -> Answer:
    return ask_api("farebox notifications", call)
