"""The portal's style sheet, which all pages share."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from portal.server.build import project_directory

pytestmark = pytest.mark.fast


def test_a_property_of_a_class_is_set_in_one_place() -> None:
    """Two pages that name a class alike would each look as the other's."""
    sheet = (project_directory() / "assets" / "portal.css").read_text()
    set_in: defaultdict[tuple[str, str], int] = defaultdict(int)
    # At the margin: what is within a media query is meant to differ
    for selectors, body in re.findall(r"^([.][^{}]+?) \{\n(.*?)^\}", sheet, re.M | re.S):
        for selector in selectors.split(",\n"):
            for name in re.findall(r"^  ([a-z-]+):", body, re.M):
                set_in[selector.strip(), name] += 1
    assert len(set_in) > 100
    assert [of for of, times in set_in.items() if times > 1] == []
