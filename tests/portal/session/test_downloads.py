"""What a download answers: the file, or why there is none, by status."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from backend_client import Forbidden, NotFound, Unauthenticated, Unavailable
from backend_client.types.problems import Problem
from portal.session import downloads
from portal.session.downloads import PDF, Download, NothingToDownload, begun, download
from portal.session.guard import Caller

pytestmark = pytest.mark.fast


class Client:
    def with_profile(self, profile: object) -> Client:
        return self

    def with_headers(self, headers: dict[str, str]) -> Client:
        assert headers == {"x-forwarded-for": "testclient"}
        return self


@pytest.fixture(autouse=True)
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(token: str, *, address: str | None) -> Caller:
        assert address == "testclient"
        if token != "good":
            raise Unauthenticated(problem(401))
        return Caller(me=None, client=Client())  # type: ignore[arg-type]  # neither is asked here

    monkeypatch.setattr(downloads, "callers", SimpleNamespace(find=find))


def problem(status: int) -> Problem:
    return Problem(title="Refused", status=status, detail="It can't be seen.")


def browser(outcome: Download | Exception, *, cookie: str = "good") -> TestClient:
    """A browser of a portal whose one download has an outcome."""

    async def make(caller: Caller, request: Request) -> Download:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    app = Starlette(routes=[download("/downloads/file", make)])
    return TestClient(app, cookies={"farebox_session": cookie}, follow_redirects=False)


def test_a_file_has_its_name_and_type() -> None:
    answer = browser(Download(b"%PDF", "FB-1.pdf", PDF)).get("/downloads/file")
    assert (answer.status_code, answer.content) == (200, b"%PDF")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="FB-1.pdf"'


def test_content_in_pieces_is_sent_whole() -> None:
    async def lines() -> AsyncIterator[str]:
        yield "a,b\n"
        yield "1,2\n"

    answer = browser(Download(lines(), "rows.csv")).get("/downloads/file")
    assert answer.text == "a,b\n1,2\n"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


async def test_a_file_that_comes_in_parts_begins_with_the_first_and_waits_for_no_other() -> None:
    """An audit was read whole into the portal's memory."""
    asked = []

    async def parts() -> AsyncGenerator[str, None]:
        for part in ("a,b\n", "1,2\n"):
            asked.append(part)
            yield part

    async def refused() -> AsyncGenerator[str, None]:
        raise Forbidden(problem(403))
        yield ""

    content = await begun(parts())
    assert asked == ["a,b\n"]
    assert [part async for part in content] == ["a,b\n", "1,2\n"]
    with pytest.raises(Forbidden):
        await begun(refused())


def test_without_a_session_the_browser_goes_to_the_sign_in_page() -> None:
    answer = browser(Download("", "a.csv"), cookie="old").get("/downloads/file")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (NothingToDownload("No such day.", status=422), 422),
        (NotFound(problem(404)), 404),
        (Forbidden(problem(403)), 404),
        (Unavailable("The API can't be reached."), 502),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_why_there_is_no_file_is_told(refusal: Exception, status: int) -> None:
    answer = browser(refusal).get("/downloads/file")
    assert answer.status_code == status
    assert str(refusal) in answer.text
    assert "content-disposition" not in answer.headers
