"""From Markdown to HTML: samples of one thing in several languages become tabs.

Plain functions. HTML in Markdown is shown as text, so a guide holds no markup of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

LANGUAGES: Final = {
    "bash": "curl",
    "python": "Python",
    "javascript": "JavaScript",
    "go": "Go",
    "java": "Java",
    "json": "JSON",
    "text": "Text",
}
TRY: Final = "try"
"""A fence of this kind is a question that the reader can ask in the page."""

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True, slots=True)
class Section:
    """A part under a heading of the second level; ``anchor`` is its place in the page."""

    heading: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Code in a fence, with its language as the fence names it."""

    language: str
    code: str


def html_of(text: str) -> str:
    """Return a guide as HTML: headings with anchors, samples with tabs."""
    tokens = _MARKDOWN.parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag != "h1":
            token.attrSet("id", anchor_of(tokens[place + 1].content))
        if token.type == "table_open":
            # Scrolls by itself on a phone
            token.attrSet("tabindex", "0")
    parts: list[str] = []
    rest: list[Token] = []
    fences: list[Token] = []
    for token in tokens:
        if token.type == "fence":
            parts.append(_render(rest))
            rest = []
            fences.append(token)
        else:
            parts.append(_samples(fences))
            fences = []
            rest.append(token)
    return "".join([*parts, _render(rest), _samples(fences)])


def sections_of(text: str) -> list[Section]:
    """Return a guide's sections, for a table of contents and for search."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = []
    for part in parts:
        heading, _, body = part.partition("\n")
        sections.append(Section(heading.strip(), anchor_of(heading), " ".join(body.split())))
    return sections


def samples_of(text: str) -> list[Sample]:
    """Return the code in a guide's fences, in order."""
    return [
        Sample(token.info.strip(), token.content)
        for token in _MARKDOWN.parse(text)
        if token.type == "fence"
    ]


def anchor_of(heading: str) -> str:
    """Return a heading's place in its page: ``Rotate a key`` is ``rotate-a-key``."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _render(tokens: Sequence[Token]) -> str:
    rendered: str = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return rendered


def _samples(fences: Sequence[Token]) -> str:
    if not fences:
        return ""
    if fences[0].info.strip() == TRY:
        return _trial(fences[0].content)
    samples = [(LANGUAGES.get(fence.info.strip(), fence.info), fence.content) for fence in fences]
    if len(samples) == 1:
        return f'<div class="sample">{_code(*samples[0])}</div>'
    tabs = "".join(
        f'<button type="button" role="tab" aria-selected="{str(place == 0).lower()}"'
        f"{'' if place == 0 else ' tabindex=-1'}>{escape(name)}</button>"
        for place, (name, _) in enumerate(samples)
    )
    panels = "".join(
        f'<div role="tabpanel" data-language="{escape(name)}">{_code(name, code)}</div>'
        for name, code in samples
    )
    return (
        f'<div class="sample samples"><div role="tablist" aria-label="Language">{tabs}</div>'
        f"{panels}</div>"
    )


def _code(name: str, code: str) -> str:
    return (
        f'<div class="code"><pre tabindex="0" aria-label="{escape(name)} code"><code>'
        f'{escape(code)}</code></pre><button type="button" class="copy">Copy</button></div>'
    )


def _trial(question: str) -> str:
    return (
        '<form class="trial"><label>Your question'
        f'<textarea name="question" rows="2" maxlength="2000">{escape(question.strip())}</textarea>'
        '</label><div class="trial-end"><button type="submit">Run</button>'
        '<span class="trial-note" role="status"></span></div>'
        '<output class="trial-answer" aria-live="polite" hidden></output></form>'
    )
