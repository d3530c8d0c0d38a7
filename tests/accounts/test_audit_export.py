"""The audit as a file: nothing in it is read as a formula."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backend.accounts.audit.export import COLUMNS, audit_csv, audit_lines
from backend_client.types.audit import AuditEntry

pytestmark = pytest.mark.fast

ENTRY = AuditEntry(
    id="aud_1",
    at=datetime(2026, 1, 2, tzinfo=UTC),
    actor="usr_1",
    actor_name="=HYPERLINK(1)",
    action="key.create",
    target="key_1",
    detail={"name": "a,b"},
)


def test_names_are_no_formulas_and_the_head_comes_once() -> None:
    head, row, rest = audit_csv([ENTRY], head=True).split("\r\n")
    assert head == ",".join(COLUMNS)
    assert row.startswith("2026-01-02T00:00:00Z,usr_1,'=HYPERLINK(1),user,key.create,key_1,")
    assert rest == ""
    assert audit_csv([ENTRY], head=False) == f"{row}\r\n"


def test_a_line_is_an_entry_as_the_api_shows_it() -> None:
    assert AuditEntry.model_validate_json(audit_lines([ENTRY]).strip()) == ENTRY
