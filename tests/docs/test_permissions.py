"""docs/permissions.md tells of every route who may call it, as the code does."""

from __future__ import annotations

import pytest

from tests.docs.permissions import PAGE, permissions_page

pytestmark = pytest.mark.fast


def test_the_page_is_the_codes() -> None:
    """If this fails, run ``python -m tests.docs.permissions`` and read what it changed."""
    assert PAGE.read_text() == permissions_page()
