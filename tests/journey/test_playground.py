"""The playground: a question is counted, asked, edited and exported; what can't be sent is said.

And its pictures: attached, described, sent, shown and kept.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Locator, Page, WebSocket, expect

from portal.features.playground.code.samples import REMARK
from tests.journey.steps import ANSWER_MS, answered, ask, limit_answers

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

log = logging.getLogger(__name__)

MODEL = "smollm2-135m-instruct"


async def test_a_question_is_counted_asked_edited_and_exported(page: Page, tmp_path: Path) -> None:
    received: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: received.append(str(payload)))

    page.on("websocket", listen)
    await page.goto(f"/playground/?model={MODEL},nobody")
    question = page.get_by_label("Your question")
    await expect(question).to_be_enabled()
    await expect(page.get_by_role("combobox", name="Model")).to_have_text("SmolLM2 135M Instruct")
    await limit_answers(page, 1)

    # What it takes is said before it is asked, by the model's own tokenizer
    await question.fill("Name three colors as a list.")
    draft = page.locator("#draft")
    await expect(draft).to_contain_text("input tokens · $")
    counted = int((await draft.inner_text()).split()[0])
    del received[:]
    await ask(page, "Name three colors as a list.")
    tokens_in, tokens_out = await answered(page)
    assert counted == tokens_in
    assert 0 < tokens_out <= 32
    answer = page.locator(".fb-answer").last
    for measure in ("first", "took", "cost"):
        await expect(answer.locator(f"[data-measure={measure}]")).to_be_visible()

    # The websocket brought the answer when it was whole: its words came by another way
    letters = await answer.locator(".fb-said").get_attribute("data-letters")
    assert letters
    log.info("%d letters: %s bytes", int(letters), [len(frame) for frame in received])
    assert len(received) <= 8

    # Edited, it is asked again in place of what it was
    await page.get_by_role("button", name="Edit").click()
    await page.get_by_label("The question, edited").fill("Name one color.")
    await page.get_by_role("button", name="Ask again").click()
    await expect(page.get_by_text("Name one color.")).to_be_visible()
    await answered(page)
    await expect(page.locator(".fb-turn")).to_have_count(1)

    # A function that is none is not sent
    await page.get_by_text("Functions", exact=True).click()
    tools = page.get_by_label("Functions as JSON")
    await tools.fill('[{"name": "two words"}]')
    await tools.blur()
    await expect(page.get_by_text("Function 1 needs a name")).to_be_visible()
    await question.fill("Is anybody there?")
    await question.press("Enter")
    await expect(page.get_by_text("A parameter can’t be sent")).to_be_visible()
    await expect(page.locator(".fb-turn")).to_have_count(1)
    await tools.fill("")
    await tools.blur()
    await expect(page.get_by_text("A parameter can’t be sent")).to_be_hidden()

    # What the provider refuses: what to do stands beside why
    turn = page.locator(".fb-turn")
    before = await turn.get_attribute("data-turn")
    assert before
    await page.get_by_role("button", name="Regenerate").click()
    await expect(turn).not_to_have_attribute("data-turn", before)
    await answered(page)
    await page.get_by_text("Answer format", exact=True).first.click()
    await page.get_by_role("combobox", name="Answer format").click()
    await page.get_by_role("option", name="JSON schema").click()
    schema = page.get_by_role("textbox", name="JSON schema")
    await schema.fill('{"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}')
    await schema.blur()
    await ask(page, "What is the answer?")
    failure = page.locator(".fb-answer").last.get_by_role("alert")
    await expect(failure).to_contain_text("does not take this request", timeout=ANSWER_MS)
    await page.get_by_role("button", name="Delete").last.click()
    await expect(turn).to_have_count(1)
    await page.get_by_role("combobox", name="Answer format").click()
    await page.get_by_role("option", name="Text").click()
    await expect(schema).to_be_hidden()

    # It was kept as it went on: a page that is loaded anew has it
    await page.wait_for_url("**conversation=*")
    await page.reload()
    await expect(page.get_by_text("Name one color.")).to_be_visible()
    await page.get_by_role("button", name="Show the tokens").last.click()
    await expect(page.get_by_role("dialog")).to_contain_text("tokens, ")
    await expect(page.locator(".fb-token").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Prompts").click()
    await page.get_by_label("Save as").fill("Of the journey")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator(".fb-rows").get_by_text("Version 1")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)

    # The next request as code, and the conversation as a file
    await page.get_by_role("button", name="View code").click()
    code = page.get_by_role("dialog").get_by_label("Python code")
    await expect(code).to_contain_text("Name one color.")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Share").click()
    async with page.expect_download() as download:
        await page.get_by_role("menuitem", name="Download as JSON").click()
    file = tmp_path / "conversation.json"
    await (await download.value).save_as(file)
    exported = json.loads(file.read_text())
    assert exported["models"] == [MODEL]
    assert exported["turns"][0]["question"] == "Name one color."

    # On a phone nothing is beside the page
    await page.set_viewport_size({"width": 390, "height": 844})
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(sideways) == 0
    await expect(page.locator(".fb-said").last).to_have_text(re.compile(r"\S"))
    await page.get_by_role("button", name="New", exact=True).click()
    await expect(page.get_by_text("Ask the model something")).to_be_visible()


def drawing(name: str, color: str) -> FilePayload:
    out = io.BytesIO()
    Image.new("RGB", (320, 200), color).save(out, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": out.getvalue()}


async def bring(target: Locator, event: str, file: FilePayload) -> None:
    """Paste a file into an element, or drop it there."""
    await target.evaluate(
        """(element, [event, name, base64]) => {
          const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type: "image/png" }));
          const init = { bubbles: true, cancelable: true };
          element.dispatchEvent(event === "paste"
            ? new ClipboardEvent(event, { ...init, clipboardData: data })
            : new DragEvent(event, { ...init, dataTransfer: data }));
        }""",
        [event, file["name"], base64.b64encode(file["buffer"]).decode()],
    )


async def expect_drawn(picture: Locator) -> None:
    """Wait for a picture that the browser has and can draw."""
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("complete", True)
    await expect(picture).to_have_js_property("naturalWidth", 320)


async def test_pictures_go_with_a_question_and_stay_with_it(
    page: Page, complaints: list[str]
) -> None:
    received: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda payload: received.append(str(payload))),
    )
    await page.goto(f"/playground/?model={MODEL}")
    question = page.get_by_label("Your question")
    await expect(question).to_be_enabled()
    await limit_answers(page, 0)
    attached = page.get_by_role("list", name="Attached pictures").get_by_role("listitem")
    field = page.locator(".fb-composer input[type=file]")

    # What is no picture is refused by its content, whatever its name says
    await field.set_input_files({**drawing("notes.png", "teal"), "buffer": b"Some notes"})
    await expect(page.get_by_role("alert").filter(has_text="notes.png")).to_contain_text(
        "no PNG, JPEG, WebP or GIF"
    )
    complaints[:] = [said for said in complaints if "415" not in said]

    # Chosen, pasted and dropped; described; removed by keyboard
    await field.set_input_files(drawing("teal.png", "teal"))
    await expect(attached).to_have_count(1)
    await expect(page.get_by_role("alert").filter(has_text="notes.png")).to_have_count(0)
    await expect_drawn(attached.get_by_role("img", name="teal.png"))
    await bring(question, "paste", drawing("red.png", "red"))
    await expect(attached).to_have_count(2)
    await bring(page.locator(".fb-conversation"), "drop", drawing("blue.png", "blue"))
    await expect(attached).to_have_count(3)
    await page.get_by_role("button", name="Remove red.png").press("Enter")
    await expect(attached).to_have_count(2)
    await page.get_by_label("Description of teal.png").fill("A teal rectangle")
    await question.fill("What is it?")
    await expect(page.get_by_role("img", name="A teal rectangle")).to_be_visible()
    draft = page.locator("#draft")
    await expect(draft).to_contain_text("input tokens")

    # A model that takes none says so, with what helps
    await question.press("Enter")
    turn = page.locator(".fb-turn")
    await expect(turn.get_by_role("alert")).to_contain_text(
        "image input is not supported. Choose a model that takes pictures", timeout=ANSWER_MS
    )
    await expect(attached).to_have_count(0)
    await expect_drawn(turn.get_by_role("img", name="A teal rectangle"))
    await expect_drawn(turn.get_by_role("img", name="blue.png"))
    async with page.context.expect_page() as opened:
        await turn.get_by_role("link", name="blue.png").click()
    large = await opened.value
    await expect(large).to_have_url(re.compile("/downloads/pictures/"))
    await large.close()

    # Edited and branched, they go along
    await page.get_by_role("button", name="Edit").click()
    await expect_drawn(turn.get_by_role("img", name="blue.png"))
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="View code").click()
    await expect(page.get_by_role("dialog").get_by_label("Python code")).to_contain_text(REMARK)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)

    # Kept with the conversation, and taken in again when it is opened
    await page.wait_for_url("**conversation=*")
    await page.get_by_role("button", name="New", exact=True).click()
    await expect(turn).to_have_count(0)
    await page.get_by_role("button", name="History").click()
    await page.get_by_role("dialog").get_by_text("What is it?").first.click()
    await expect_drawn(turn.get_by_role("img", name="A teal rectangle"))

    # The pictures themselves never come by the websocket
    assert received
    inner = base64.b64encode(drawing("teal.png", "teal")["buffer"]).decode()[60:100]
    assert not any(inner in frame for frame in received)
    await page.get_by_role("button", name="Delete").last.click()
    await expect(turn).to_have_count(0)
