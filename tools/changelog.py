"""Print the part of CHANGELOG.md that is of a version, for a release's notes.

    python tools/changelog.py 0.1.0

Fails unless the version is that of both distributions and the changelog has a part for it that
bears a date and says something.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADING = re.compile(r"^## (?P<version>\S+)(?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


class ChangelogError(Exception):
    """What has to be put right before there can be a release; its text says it."""


def parts(text: str) -> dict[str, tuple[str | None, str]]:
    """The date and the text of each version's part, in the order of the file."""
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return {
        heading["version"]: (heading["date"], text[heading.end() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
    }


def part_of(version: str, text: str) -> str:
    """The text of a version's part; raises ``ChangelogError`` unless it is ready to be released."""
    date, body = parts(text).get(version, (None, ""))
    if not body:
        raise ChangelogError(f"CHANGELOG.md has no part for {version}.")
    if date is None:
        raise ChangelogError(f"The part for {version} has no date: ## {version} - YYYY-MM-DD.")
    return body


def versions() -> dict[str, str]:
    """The version of each distribution."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    client = (ROOT / "backend_client" / "_version.py").read_text()
    return {"farebox": project["version"], "farebox-client": client.split('"')[-2]}


def main() -> None:
    """Print the part, or say on standard error what is wrong and end with 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", help="without the tag's v, such as 0.1.0")
    version = parser.parse_args().version
    try:
        for distribution, own in versions().items():
            if own != version:
                raise ChangelogError(f"{distribution} is {own}, not {version}.")
        part = part_of(version, (ROOT / "CHANGELOG.md").read_text())
    except ChangelogError as error:
        sys.exit(str(error))
    sys.stdout.write(part + "\n")


if __name__ == "__main__":
    main()
