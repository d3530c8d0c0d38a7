"""What every test may ask for; the fixtures of one room stand in its own conftest."""

from __future__ import annotations

pytest_plugins = [
    "tests.support.kinds",
    "tests.support.examples",
    "tests.support.garbage",
    "tests.support.spreading",
    "tests.support.fixtures.engines",
    "tests.support.fixtures.api",
    "tests.support.fixtures.billing",
]
