"""A line of the log is one line, bounded, and can't be forged; nor are there too many."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import structlog

from backend.engines.supervisor import roll_over
from backend.logs import configure_logs
from backend.settings import Settings
from edge.log_bounds import (
    MOST_OF_A_KIND,
    MOST_TRACE,
    MOST_VALUE,
    BoundedFormatter,
    FloodGate,
    indented,
    on_one_line,
)
from portal.server.logs import configure_logs as configure_portal_logs

pytestmark = pytest.mark.fast

FORGED = "x\n2026-01-01 INFO farebox: tenant deleted\x1b[31m\u202ered\u2028"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_value_makes_a_line_of_its_own_or_a_megabyte(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    log_format: Literal["json", "console"],
) -> None:
    root = logging.getLogger()
    for name in ("handlers", "level"):  # put back afterwards
        monkeypatch.setattr(root, name, getattr(root, name))
    configure_logs(Settings(log_format=log_format))
    log = structlog.get_logger("test")
    log.warning("refused", reason=FORGED, values=["y" * 1_000_000], number=7)
    logging.getLogger("foreign").warning("of a library: %s", FORGED + "z" * 1_000_000)
    try:
        raise ValueError(FORGED + "w" * 1_000_000)
    except ValueError:
        log.exception("failed")
    text = capsys.readouterr().err
    assert len(text) < 30_000
    for unprintable in "\x1b\u202e\u2028":
        assert unprintable not in text.replace("\x1b[0m", "")
    assert not any(line.startswith("2026-01-01") for line in text.splitlines())
    if log_format == "json":
        assert [json.loads(line)["level"] for line in text.splitlines()] == [
            *("warning", "warning", "error")
        ]


def test_the_portals_lines_are_bounded_too() -> None:
    record = logging.LogRecord("p", logging.ERROR, __file__, 1, "a %s", (FORGED,), None)
    assert "\n" not in BoundedFormatter().format(record)
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    lines = BoundedFormatter().format(record).splitlines()
    assert all(line.startswith("    ") for line in lines[1:])


@pytest.mark.parametrize(
    "configure", [lambda: configure_logs(Settings()), configure_portal_logs], ids=["api", "portal"]
)
def test_the_log_of_each_program_is_bounded_and_held(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    configure: Callable[[], None],
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(root, "handlers", [])
    configure()
    for _ in range(3 * MOST_OF_A_KIND):
        logging.getLogger("foreign").warning("of a library: %s", FORGED)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST_OF_A_KIND
    assert all("of a library: " in line for line in lines)


def test_a_traceback_is_cut_in_its_middle() -> None:
    """Each of its lines may be short, and there may be any number of them."""
    trace = "\n".join(["first", *["x" * 99] * 10_000, "last"])
    shown = indented(trace)
    assert len(shown) < 2 * MOST_TRACE
    assert (shown.splitlines()[0], shown.splitlines()[-1]) == ("    first", "    last")
    assert "(1,000,010 characters)" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größer, 中文", "plain, größer, 中文"),
        ("a\nb\r\x00", r"a\nb\r\x00"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\u202eabc", r"\u202eabc"),
    ],
)
def test_what_can_be_printed_stays(text: str, shown: str) -> None:
    assert on_one_line(text) == shown


def test_what_is_long_is_cut_and_says_so() -> None:
    shown = on_one_line("\n" * 10 * MOST_VALUE)
    assert len(shown) < MOST_VALUE + 40
    assert shown.endswith("(20,000 characters)")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_flood_of_warnings_from_one_place_is_held_and_counted() -> None:
    clock = Clock()
    gate = FloodGate(most=3, seconds=60, clock=clock)
    record = [
        logging.LogRecord("p", level, __file__, line, "a warning", (), None)
        for line, level in ((1, logging.WARNING), (2, logging.WARNING), (1, logging.INFO))
    ]
    assert sum(gate.filter(record[0]) for _ in range(10)) == 3
    assert "left out" in record[0].getMessage()
    assert gate.filter(record[1])
    assert all(gate.filter(record[2]) for _ in range(10))
    clock.now = 61
    later = logging.LogRecord("p", logging.WARNING, __file__, 1, "a warning", (), None)
    assert gate.filter(later)
    assert "7 more" in later.getMessage()


def test_a_log_that_is_too_long_moves_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab", buffering=0) as process:
        process.write(b"x" * 100)
        roll_over(log, most_bytes=100)
        assert log.stat().st_size == 100
        process.write(b"y")
        roll_over(log, most_bytes=100)
        process.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "api.log.1").read_bytes() == b"x" * 100 + b"y"
    roll_over(tmp_path / "none.log")
