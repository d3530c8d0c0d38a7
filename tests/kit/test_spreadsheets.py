"""CSV that a spreadsheet opens: quoted as RFC 4180 says, and never a formula."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.spreadsheets import csv_text, spreadsheet_cell

pytestmark = pytest.mark.fast


@given(st.lists(st.tuples(st.text(alphabet='a=+@-",\n é'), st.integers())))
def test_rows_are_read_back_as_they_were(rows: list[tuple[str, int]]) -> None:
    text = csv_text(["name", "count"], rows)
    head, *cells = csv.reader(text.splitlines(keepends=True))
    assert head == ["name", "count"]
    assert cells == [[name, str(count)] for name, count in rows]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    assert spreadsheet_cell(text) == f"'{text}"


def test_other_cells_stay() -> None:
    assert [spreadsheet_cell(value) for value in ("a=b", "", None)] == ["a=b", "", ""]
