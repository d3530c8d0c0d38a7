"""A developer reads the documentation: every sample runs as it is shown."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from backend_client.types.accounts import ApiKeyCreate, Scope
from portal.documentation.guides import Reader, guides
from portal.documentation.rendering import Sample, samples_of
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import ANSWER_MS, visit
from tests.support.go import ENVIRONMENT, go

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

MODEL = "smollm2-135m-instruct"
RUN = {
    "bash": ["bash", "-euo", "pipefail"],
    "python": [sys.executable],
    "javascript": ["node"],
    "go": ["go", "run"],
    "java": ["java"],
}
SUFFIX = {"bash": ".sh", "python": ".py", "javascript": ".mjs", "go": ".go", "java": ".java"}
COMPILED = ("go", "java")
SAMPLES = [
    pytest.param(sample, id=f"{guide.slug}-{sample.language}-{place}")
    for guide in guides()
    for place, sample in enumerate(samples_of(guide.text))
    if sample.language in RUN
    and not sample.code.startswith("export ")
    # A function alone is no program of these; `test_webhook_samples` makes one of it
    and (sample.language not in COMPILED or " main(" in sample.code)
]


async def test_the_first_call_is_made_in_the_page(page: Page) -> None:
    await visit(page, "Overview")
    await page.get_by_role("link", name="Docs").click()
    await expect(page.get_by_role("heading", name="Quick start", level=1)).to_be_visible()
    await expect(page.get_by_role("tab", name="curl").first).to_be_visible()
    await page.get_by_role("button", name="Run").click()
    note = page.locator(".trial-note")
    await expect(note).to_contain_text("tokens in", timeout=ANSWER_MS)
    await expect(note).to_contain_text(MODEL)
    assert await page.locator(".trial-answer").inner_text()

    # The language that is chosen holds for every sample
    await page.get_by_role("tab", name="Python").click()
    await page.goto("/docs/streaming")
    await expect(page.get_by_role("tab", name="Python")).to_have_attribute("aria-selected", "true")

    # By keyboard from anywhere: look for a word, and go there
    await page.keyboard.press("/")
    await page.keyboard.type("leaked")
    await expect(page.get_by_role("option", name="When a key has leaked")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/docs/keys#when-a-key-has-leaked")


async def test_the_reference_is_drawn_here_and_calls_go_through(page: Page) -> None:
    outside: list[str] = []
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "data:", "blob:"))
            else outside.append(request.url)
        ),
    )
    await page.goto("/reference#tag/openai/POST/v1/chat/completions")
    reference = page.locator("#reference")
    operation = reference.get_by_role("heading", name="Complete a chat")
    await expect(operation).to_be_visible(timeout=60_000)
    assert outside == []
    answer = await page.evaluate(
        """async () => {
            const document = await (await fetch("/reference/openapi.json")).json();
            const target = encodeURIComponent(document.servers[0].url + "/v1/me");
            const answer = await fetch("/docs/call?scalar_url=" + target);
            return [answer.status, (await answer.json()).role];
        }"""
    )
    assert answer == [200, "owner"]


async def test_a_call_to_try_is_without_the_examples_of_optional_parameters(page: Page) -> None:
    await page.goto("/reference#tag/usage/GET/v1/usage")
    reference = page.locator("#reference")
    sample = reference.locator("pre, code").filter(has_text="/v1/usage?granularity=day&format=json")
    await expect(sample.first).to_be_visible(timeout=60_000)
    assert "if-none-match" not in await sample.first.inner_text()


@pytest.fixture(scope="module")
async def reader(farebox: Farebox) -> Reader:
    """What the samples are filled in with, as for a reader who is signed in."""
    async with person_at(farebox) as person:
        application = (await person.applications.list().all())[0]
    return Reader(farebox.api_url, MODEL, application.id)


@pytest.fixture(scope="module")
async def key(farebox: Farebox, reader: Reader) -> str:
    async with person_at(farebox) as person:
        created = await person.keys.create(
            ApiKeyCreate(
                name="samples",
                application_id=reader.application,
                scopes=[Scope.INFERENCE, Scope.EVENTS_WRITE],
            )
        )
    return created.secret


@pytest.mark.parametrize("sample", SAMPLES)
async def test_a_sample_runs_as_it_is_shown(
    sample: Sample, reader: Reader, key: str, tmp_path: Path
) -> None:
    command = RUN[sample.language]
    if sample.language == "go":
        command = [str(go()), *command[1:]]
    elif sample.language == "java" and shutil.which("java") is None:
        pytest.skip("There is no Java on this machine")
    file = tmp_path / f"sample{SUFFIX[sample.language]}"
    file.write_text(reader.fill(sample.code))
    process = await asyncio.create_subprocess_exec(
        *command,
        str(file),
        env={
            **os.environ,
            "FAREBOX_API_KEY": key,
            **ENVIRONMENT,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    # Go compiles its own library first
    patience = 900 if sample.language in COMPILED else ANSWER_MS / 1000
    output, problem = await asyncio.wait_for(process.communicate(), patience)
    assert process.returncode == 0, problem.decode()
    if "/v1/" in sample.code:
        assert output.strip()
        assert b'"error"' not in output
        assert b'"status":4' not in output


async def test_strangers_read_and_call_nothing(farebox: Farebox) -> None:
    async with httpx.AsyncClient(base_url=farebox.url) as stranger:
        page = await stranger.get("/docs/quick-start")
        assert page.status_code == 200
        assert MODEL not in page.text
        document = (await stranger.get("/reference/openapi.json")).json()
        assert "/v1/chat/completions" in document["paths"]
        assert "/v1/operator-keys" not in document["paths"]
