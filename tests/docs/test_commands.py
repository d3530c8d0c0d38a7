"""docs/commands.md tells every command and every option as the program does."""

from __future__ import annotations

import re

import pytest

from tests.docs.commands import PAGE, commands_page
from tests.docs.pages import DOCS

pytestmark = pytest.mark.fast


def test_the_page_is_the_programs() -> None:
    """If this fails, run ``python -m tests.docs.commands`` and read what it changed."""
    assert PAGE.read_text() == commands_page()


def test_every_command_and_option_says_what_it_does() -> None:
    unexplained = re.findall(r"^#.*\n\n\n|^\| `.*\|  \|$", commands_page(), re.MULTILINE)
    assert unexplained == []


def test_every_command_that_a_page_shows_is_there() -> None:
    commands = re.findall(r"^#+ (farebox .*)$", commands_page(), re.MULTILINE)
    for page in DOCS.rglob("*.md"):
        for words in re.findall(r"^(?:\.venv/bin/)?(farebox .+)$", page.read_text(), re.MULTILINE):
            assert any(f"{words} ".startswith(f"{command} ") for command in commands), words
