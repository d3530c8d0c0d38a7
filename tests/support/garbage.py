"""Lets the garbage collector run less often, and pass over what stays anyway.

It took a fifteenth of the time of the fast tests: it went through all that was imported and
collected, a million objects, again and again.
"""

from __future__ import annotations

import gc

import pytest

_ALLOCATIONS = 10_000
"""More objects than before that start a collection; Python's default of 700 is for small heaps."""


def pytest_configure() -> None:
    gc.disable()
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Set aside the modules and the tests themselves, which stay until the process ends."""
    gc.freeze()
    gc.enable()
