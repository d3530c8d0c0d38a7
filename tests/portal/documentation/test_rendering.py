"""Guides as pages: what is written in Markdown, and no more than that."""

from __future__ import annotations

import re

import pytest

from portal.app import FEATURES
from portal.documentation.guides import FILES, ORDER, Guide, Reader, guides
from portal.documentation.rendering import (
    LANGUAGES,
    TRY,
    anchor_of,
    html_of,
    samples_of,
    sections_of,
)

pytestmark = pytest.mark.fast

READER = Reader("https://api.example.com", "a-model", "app_1")


def test_every_file_has_its_place_in_the_order() -> None:
    assert {file.stem for file in FILES.glob("*.md")} == set(ORDER)


@pytest.mark.parametrize("guide", guides(), ids=lambda guide: guide.slug)
def test_a_guide_has_a_title_a_lead_and_samples_in_known_languages(guide: Guide) -> None:
    text = READER.fill(guide.text)
    assert "{{" not in text
    assert guide.title
    assert guide.lead.endswith(".")
    assert {sample.language for sample in samples_of(text)} <= {*LANGUAGES, TRY}
    assert "<h1>" in html_of(text)


@pytest.mark.parametrize("guide", guides(), ids=lambda guide: guide.slug)
def test_its_links_lead_somewhere(guide: Guide) -> None:
    pages = {feature.route for feature in FEATURES} | {"/reference"}
    anchors = {f"/docs/{each.slug}" for each in guides()}
    anchors |= {
        f"/docs/{each.slug}#{section.anchor}"
        for each in guides()
        for section in sections_of(each.text)
    }
    links = re.findall(r"\]\((/[^)]*)\)", guide.text)
    assert [link for link in links if link not in pages | anchors] == []


def test_samples_of_one_thing_become_tabs_and_one_alone_does_not() -> None:
    several = html_of("```bash\na\n```\n\n```python\nb\n```\n\ntext\n\n```json\n{}\n```\n")
    assert several.count('role="tabpanel"') == 2
    assert several.count('role="tablist"') == 1
    assert several.index("tabpanel") < several.index("<p>text</p>") < several.index("{}")
    assert 'aria-label="JSON code"' in several


def test_markup_in_a_guide_or_a_value_is_shown_as_text() -> None:
    reader = Reader("https://api.example.com", '"><script>alert(1)</script>', "app_1")
    html = html_of(reader.fill("# Title\n\n<b>x</b> {{model}}\n\n```bash\n{{model}}\n```\n"))
    assert "<script>" not in html
    assert "<b>" not in html
    assert html.count("&lt;script&gt;") == 2


def test_headings_are_places_in_the_page() -> None:
    text = "# Page\n\nLead.\n\n## Rotate a key!\n\nWords of it.\n\n## Then\n\nMore.\n"
    assert [section.anchor for section in sections_of(text)] == ["rotate-a-key", "then"]
    assert sections_of(text)[0].text == "Words of it."
    assert '<h2 id="rotate-a-key">' in html_of(text)
    assert anchor_of("A, b & c") == "a-b-c"
