"""The pages of the documentation, read as text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GUIDES = ROOT / "portal" / "documentation" / "guides"


def markdown_pages() -> list[Path]:
    """Every Markdown page of the repository: docs/, and what stands beside it.

    The portal's guides link to the portal's pages, and have a test of their own.
    """
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    pages = {ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).exists()}
    return sorted(page for page in pages if GUIDES not in page.parents)


def without_code(text: str) -> str:
    """The page without its fenced blocks and its `code`, in which a link is no link."""
    fences = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", fences)


def anchors(page: Path) -> set[str]:
    """What `#…` may name on a page: its headings, as GitHub and the site spell them."""
    fences = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+?) *$", fences, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\]\([^)]*\)", "", heading).lower()).replace(" ", "-")
        for heading in headings
    }
