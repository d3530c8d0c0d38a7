"""What docs/first-change.md does can be done to the code as it is, and says what happens then."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT

pytestmark = pytest.mark.fast

PAGE = (DOCS / "first-change.md").read_text()
_TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


def section(heading: str) -> str:
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def blocks(text: str, language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_what_the_walk_changes_is_there() -> None:
    """As it was or, for who has just walked it, as it becomes."""
    change = section("4. Make it so")
    [path] = re.findall(r"^In `(\S+)`", change, re.MULTILINE)
    source = (ROOT / path).read_text()
    hunks = blocks(change, "diff")
    assert len(hunks) == 2
    for hunk in hunks:
        before, after = (
            "".join(f"{line[1:]}\n" for line in hunk.splitlines() if line[0] in kept)
            for kept in (" -", " +")
        )
        assert before in source or after in source


def test_its_test_fits_the_file_that_it_joins() -> None:
    wanted = section("3. Say what should be, as a test")
    [path] = re.findall(r"^At the end of `(\S+)`", wanted, re.MULTILINE)
    source = (ROOT / path).read_text()
    [test] = blocks(wanted, "python")
    [name] = _TEST.findall(test)
    others = [other for other in _TEST.findall(source) if other != name]
    assert "sample" in name
    assert [other for other in others if "sample" in other] == []  # what `-k sample` would run too
    [line] = [line for line in wanted.splitlines() if line.startswith("with `from")]
    [module] = re.findall(r"`from (backend\S+) import \w+`", line)
    assert f"from {module} import" in source
    for fixture in re.findall(r"(\w+): \w+[,)]", test):
        assert re.search(rf"\b{fixture}: ", source)


def test_the_failures_that_it_shows_are_of_tests_that_are_there() -> None:
    failures = re.findall(r"^FAILED (\S+)::(\w+)$", PAGE, re.MULTILINE)
    assert len(failures) == 2
    for path, name in failures:
        assert f"def {name}(" in (ROOT / path).read_text() + PAGE
