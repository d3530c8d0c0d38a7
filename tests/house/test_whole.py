"""What failed once is run once more, by itself; what fails twice has failed."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.support import whole

pytestmark = pytest.mark.slow
_FLAKY = """
    def test_flaky():
        tried = Path("tried")
        again = tried.exists()
        tried.touch()
        assert again
"""
_WRONG = """
    def test_wrong():
        Path("runs").open("a").write("x")
        assert False
"""
_RIGHT = """
    def test_right():
        with Path("right").open("a") as runs:
            runs.write("x")
"""


@pytest.fixture(autouse=True)
def plain_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the plugins of packages that happen to be installed: a second of each start."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist")


def _write(directory: Path, *tests: str) -> None:
    text = "from pathlib import Path\n" + "".join(dedent(test) for test in tests)
    (directory / "test_tried.py").write_text(text)


def test_what_passes_by_itself_is_named_and_holds_up_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, _FLAKY, _RIGHT)
    assert whole.run(["-q", "--numprocesses", "1"], tmp_path) == 0
    assert "  test_tried.py::test_flaky\n" in capfd.readouterr().out
    assert (tmp_path / "right").read_text() == "x"  # what passed is not run again


def test_what_fails_twice_has_failed(tmp_path: Path) -> None:
    _write(tmp_path, _FLAKY, _WRONG)
    assert whole.run(["-q"], tmp_path) == pytest.ExitCode.TESTS_FAILED
    assert (tmp_path / "runs").read_text() == "xx"


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    tests = [_WRONG.replace("test_wrong", f"test_wrong_{n}") for n in range(whole.MOST + 1)]
    _write(tmp_path, *tests)
    assert whole.run(["-q"], tmp_path) == pytest.ExitCode.TESTS_FAILED
    assert (tmp_path / "runs").read_text() == "x" * (whole.MOST + 1)


def test_failures_of_an_earlier_run_are_not_this_ones(tmp_path: Path) -> None:
    _write(tmp_path, _WRONG)
    whole.run(["-q"], tmp_path)
    _write(tmp_path, _RIGHT)
    assert whole.run(["-q"], tmp_path) == 0


def test_nothing_to_run_is_said_as_pytest_says_it(tmp_path: Path) -> None:
    assert whole.run(["-q"], tmp_path) == pytest.ExitCode.NO_TESTS_COLLECTED
