"""docs/errors.md tells every code as the code does."""

from __future__ import annotations

import pytest

from tests.docs.errors import PAGE, errors_page

pytestmark = pytest.mark.fast


def test_the_page_is_the_codes() -> None:
    """If this fails, run ``python -m tests.docs.errors`` and read what it changed."""
    assert PAGE.read_text() == errors_page()
