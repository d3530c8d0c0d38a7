"""What was kept, as the page lists it. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend_client.types.playground import ConversationEntry, PromptVersion, SavedPrompt
from portal.kit.formatting import ago, date


@dataclass(frozen=True)
class HistoryRow:
    """A conversation that was kept; ``author`` is empty for the person's own."""

    id: str
    title: str
    when: str
    author: str
    shared: bool
    current: bool


@dataclass(frozen=True)
class PromptRow:
    """A saved prompt, by its newest version."""

    id: str
    name: str
    about: str
    author: str
    shared: bool
    current: bool


@dataclass(frozen=True)
class VersionRow:
    """A version of a saved prompt."""

    version: str
    about: str


def history_rows(
    entries: Sequence[ConversationEntry], *, now: datetime, current: str
) -> list[HistoryRow]:
    """The conversations of a page of the history."""
    return [
        HistoryRow(
            entry.id,
            entry.title,
            ago(entry.updated_at, now),
            "" if entry.mine else entry.author,
            entry.shared,
            entry.id == current,
        )
        for entry in entries
    ]


def prompt_rows(prompts: Sequence[SavedPrompt], *, time_zone: str, current: str) -> list[PromptRow]:
    """The prompts that were saved."""
    return [
        PromptRow(
            prompt.id,
            prompt.name,
            f"Version {prompt.version}, {date(prompt.updated_at, time_zone)}",
            "" if prompt.mine else prompt.author,
            prompt.shared,
            prompt.id == current,
        )
        for prompt in prompts
    ]


def version_rows(versions: Sequence[PromptVersion], *, time_zone: str) -> list[VersionRow]:
    """A prompt's versions, the newest first."""
    return [
        VersionRow(str(version.version), f"{date(version.created_at, time_zone)}, {version.author}")
        for version in versions
    ]
