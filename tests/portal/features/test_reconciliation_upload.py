"""A provider's file that is dropped: who may, how it is read, and what is said of a bad one."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from portal.features.reconciliation.upload import UPLOADS, Failures, options_from, said
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast


def test_what_is_wrong_is_said_line_by_line_and_not_without_end() -> None:
    paths = [(f"line {number}", "is no number") for number in range(60)]
    lines = said(paths).split("\n")
    assert lines[0] == "line 0: is no number"
    assert (len(lines), lines[-1]) == (51, "And 10 more.")
    assert said([("", "This is no export.")]) == "This is no export."


def test_why_it_failed_is_for_who_dropped_it_and_bounded() -> None:
    failures = Failures()
    ticket = failures.keep("usr_a", "line 3: odd")
    assert failures.find("usr_a", ticket) == "line 3: odd"
    assert failures.find("usr_b", ticket) == ""
    for _ in range(100):
        failures.keep("usr_b", "again")
    assert failures.find("usr_a", ticket) == ""


def test_the_form_says_how_to_read_it() -> None:
    options = options_from({"provider": " openai ", "time_zone": ""})
    assert (options.provider, options.time_zone) == ("openai", "UTC")
    with pytest.raises(FormProblems, match="time_zone: is not a time zone"):
        options_from({"provider": "openai", "time_zone": "Moon/Base"})


@pytest.mark.parametrize("origin", ["https://elsewhere.example", ""])
def test_another_sites_page_sends_nothing(origin: str) -> None:
    browser = TestClient(Starlette(routes=[*UPLOADS]), follow_redirects=False)
    file = {"file": ("costs.json", b"{}", "application/json")}
    headers = {"origin": origin} if origin else {}
    assert browser.post("/uploads/reconciliation", files=file, headers=headers).status_code == 403
