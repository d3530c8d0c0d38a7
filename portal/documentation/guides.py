"""Guides: Markdown files, in their order, with what is filled in for the reader."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

FILES: Final = Path(__file__).parent / "guides"
ORDER: Final = (
    "quick-start",
    "streaming",
    "coding-agents",
    "tokens-and-cost",
    "keys",
    "limits",
    "errors",
    "metering",
    "webhooks",
)


@dataclass(frozen=True, slots=True)
class Guide:
    """A page. ``lead`` is its first paragraph; ``text`` all of it, as it was written."""

    slug: str
    title: str
    lead: str
    text: str


@dataclass(frozen=True, slots=True)
class Reader:
    """What is filled in: the API's address as customers see it, a model, an application's id."""

    api_url: str
    model: str
    application: str

    def fill(self, text: str) -> str:
        """Return ``text`` with the reader's values in place of ``{{api_url}}`` and the others."""
        for field in fields(self):
            text = text.replace(f"{{{{{field.name}}}}}", getattr(self, field.name))
        return text


@cache
def guides() -> tuple[Guide, ...]:
    """Return all guides in the order in which they are read."""
    return tuple(_read(slug) for slug in ORDER)


def find_guide(slug: str) -> Guide | None:
    """Return a guide by its place in addresses."""
    return next((guide for guide in guides() if guide.slug == slug), None)


def _read(slug: str) -> Guide:
    text = (FILES / f"{slug}.md").read_text(encoding="utf-8")
    heading, lead, *_ = text.split("\n\n")
    return Guide(slug, heading.removeprefix("# ").strip(), " ".join(lead.split()), text)
