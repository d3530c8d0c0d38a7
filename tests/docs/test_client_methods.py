"""docs/client-methods.md lists every method of the client, with its routes and types."""

from __future__ import annotations

import re

import pytest

from tests.docs.client_methods import PAGE, methods_page
from tests.support.client_calls import methods

pytestmark = pytest.mark.fast


def test_the_page_is_the_clients() -> None:
    """If this fails, run ``python -m tests.docs.client_methods`` and read what it changed."""
    assert PAGE.read_text() == methods_page()


def test_every_method_says_what_it_does() -> None:
    sections = re.split(r"^### ", methods_page(), flags=re.MULTILINE)[1:]
    assert len(sections) == len(methods()) > 100
    for section in sections:
        assert re.search(r"^`[A-Z]+ /v1/.*`\n\n\w", section, re.MULTILINE), section
