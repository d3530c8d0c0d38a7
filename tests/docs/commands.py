"""Writes docs/commands.md from the program itself: ``python -m tests.docs.commands``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import typer

from backend.cli import command_line
from tests.docs.pages import DOCS

PAGE = DOCS / "commands.md"

_HEAD = """\
# Commands

Every command of `farebox`, as `farebox COMMAND --help` tells it. This page is written from the
program by `python -m tests.docs.commands`, and the tests compare the two.
"""


def commands_page() -> str:
    """The whole page."""
    root = typer.main.get_command(command_line([]))
    return "\n".join([_HEAD, *_sections(root, "farebox")])


def _sections(command: object, name: str) -> Iterator[str]:
    """The command's section, or those of a group and of all its commands."""
    subcommands = getattr(command, "commands", None)
    level = "##" if name.count(" ") <= 1 else "###"
    if name != "farebox":
        yield f"{level} {name}\n\n{_text(command.help)}\n"
    if subcommands is None:
        yield from _parameters(command.params)
        return
    for subname in sorted(subcommands):
        yield from _sections(subcommands[subname], f"{name} {subname}")


def _parameters(
    parameters: list[typer.core.TyperOption | typer.core.TyperArgument],
) -> Iterator[str]:
    """A table of the arguments and options; nothing for a command without any."""
    rows = [
        f"| {_name(parameter)} | {_default(parameter)} | {_text(parameter.help)} |"
        for parameter in parameters
        if parameter.name != "help"
    ]
    if rows:
        yield "\n".join(["| | Default | |", "|---|---|---|", *rows, ""])


def _name(parameter: typer.core.TyperOption | typer.core.TyperArgument) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`"
    return ", ".join(f"`{word}`" for word in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: typer.core.TyperOption | typer.core.TyperArgument) -> str:
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return parameter.show_default  # in words, where it depends on the machine
    default = parameter.default
    if default is True:
        return f"`{parameter.opts[0]}`"
    if default is None or callable(default) or default in (False, (), [], ""):
        return ""
    return f"`{default}`"


def _text(text: str | None) -> str:
    """Help on one line, as a cell of a table takes it."""
    return " ".join(inspect.cleandoc(text or "").split()).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(commands_page())
