"""The ``farebox`` command."""

from __future__ import annotations

import gc
import sys
from importlib import import_module

import typer
from pydantic import ValidationError

from backend.errors import FareboxError

COMMANDS = {
    "up": "backend.commands.up:up",
    "api": "backend.commands.serve:api",
    "worker": "backend.commands.serve:worker",
    "portal": "backend.commands.serve:portal",
    "catalog": "backend.commands.catalog:catalog",
    "invoices": "backend.commands.invoices:invoices",
    "accounting": "backend.commands.accounting:accounting",
    "chargeback": "backend.commands.chargeback:chargeback",
    "operator-key": "backend.commands.accounts:operator_key",
    "operator": "backend.commands.operators:operator",
    "tenant": "backend.commands.accounts:tenant",
    "key": "backend.commands.keys:key",
    "events": "backend.commands.events:events",
    "usage": "backend.commands.usage:usage",
    "platform": "backend.commands.platform:platform",
    "notifications": "backend.commands.notifications:notifications",
    "upstreams": "backend.commands.upstreams:upstreams",
    "dead-letters": "backend.commands.dead_letters:dead_letters",
    "drift": "backend.commands.drift:drift",
    "reconcile": "backend.commands.reconcile:reconcile",
    "demo": "backend.commands.demo:demo",
}
"""Where each command is. Its module is imported only when it is called: the supervisor needs no web
framework, and starts faster without."""


def command_line(arguments: list[str]) -> typer.Typer:
    """Return the program with the command that the arguments name, or with all commands."""
    app = typer.Typer(
        name="farebox",
        help="Meter, price and bill an AI API; with a portal for its developers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)  # keeps a single command a command
    wanted = arguments[:1] if arguments and arguments[0] in COMMANDS else list(COMMANDS)
    for name in wanted:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Run the command line; an operator's mistake is reported in one sentence."""
    try:
        gc.disable()  # what is imported stays, and was gone through again and again
        program = command_line(sys.argv[1:])
        gc.enable()
        program()
    except FareboxError as error:
        typer.echo(f"farebox: {error.detail}", err=True)
        sys.exit(1)
    except ValidationError as error:
        for problem in error.errors():
            setting = "_".join(str(part) for part in problem["loc"])
            if error.title == "Settings" and setting.islower():  # else it is the variable's name
                setting = f"FAREBOX_{setting}"
            why = problem["msg"].removeprefix("Value error, ")
            typer.echo(f"farebox: the setting {setting.upper()} is wrong: {why}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
