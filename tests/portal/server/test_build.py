"""Building the portal's pages: once for a source, however many processes ask for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portal.server import build

pytestmark = pytest.mark.fast


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The builds that there were, in a place of their own."""
    there: list[str] = []

    def built() -> None:
        there.append(build.source_digest())
        (tmp_path / "farebox-source.sha256").write_text(there[-1])

    monkeypatch.setenv("REFLEX_WEB_WORKDIR", str(tmp_path))
    monkeypatch.setattr(build, "_build", built)
    return there


def test_of_several_that_build_the_pages_at_once_only_the_first_does(builds: list[str]) -> None:
    with ThreadPoolExecutor(4) as processes:
        for building in [processes.submit(build.build) for _ in range(4)]:
            building.result()
    assert len(builds) == 1


def test_pages_are_built_anew_where_that_is_asked_for(builds: list[str]) -> None:
    build.build()
    build.build(force=True)
    assert len(builds) == 2
