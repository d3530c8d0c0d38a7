"""The change that docs/first-change.md makes can be made to the code as it is."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT

pytestmark = pytest.mark.fast


def test_what_the_walk_changes_is_there() -> None:
    page = (DOCS / "first-change.md").read_text()
    section = page.partition("## 4. Make it so")[2].partition("\n## ")[0]
    [path] = re.findall(r"^In `(\S+)`", section, re.MULTILINE)
    source = (ROOT / path).read_text()
    hunks = re.findall(r"^```diff\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(hunks) == 2
    for hunk in hunks:
        before = "".join(f"{line[1:]}\n" for line in hunk.splitlines() if line[0] in " -")
        assert before in source
