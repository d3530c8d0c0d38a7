"""What docs/client.md shows is run."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from backend_client import INTERACTIVE, PATIENT, Profile
from tests.docs.pages import DOCS

GUIDE = (DOCS / "client.md").read_text()


@pytest.mark.engine
async def test_the_examples_run(url: str, token: str) -> None:
    names: dict[str, Any] = {"url": url, "session": token}
    for number, example in enumerate(re.findall(r"^```python\n(.*?)^```", GUIDE, re.M | re.S)):
        code = compile(example, f"docs/client.md, example {number}", "exec")
        await asyncio.to_thread(exec, code, names)
    assert names["refused"] == ["models"]
    assert names["unchanged"] is None
    assert names["newest"].items[0].name == "Worker"
    assert await names["key_names"]() == ["Worker"]


@pytest.mark.fast
@pytest.mark.parametrize(("name", "profile"), [("PATIENT", PATIENT), ("INTERACTIVE", INTERACTIVE)])
def test_the_profiles_are_as_they_are_said_to_be(name: str, profile: Profile) -> None:
    (row,) = re.findall(rf"^\| `{name}`[^|]*\|(.*)\|$", GUIDE, re.MULTILINE)
    timeout, retries = profile.timeout, profile.retries
    assert [cell.strip() for cell in row.split("|")] == [
        f"{timeout.read:g} s ({timeout.connect:g} s to connect)",
        str(retries.most),
        f"{retries.longest_pause:g} s",
    ]
