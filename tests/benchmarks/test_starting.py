"""Each benchmark still starts: what it takes from Farebox is where it was."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
BENCHMARKS = sorted(
    file.stem for file in FOLDER.glob("*.py") if 'if __name__ == "__main__"' in file.read_text()
)


def test_there_are_benchmarks() -> None:
    assert len(BENCHMARKS) >= 9


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_starts_and_says_how_it_is_used(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    assert end.value.code == 0
    assert "usage:" in capsys.readouterr().out
