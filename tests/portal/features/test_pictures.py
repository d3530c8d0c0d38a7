"""Pictures of the playground's questions: what is taken, who sees it, and what is kept of them."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace

import pytest
from PIL import Image as Drawing
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backend.metering.tokens.image_size import image_size
from backend_client import Unauthenticated
from backend_client.types.accounts import Role
from backend_client.types.playground import MOST_CONTENT_BYTES, ConversationWrite
from backend_client.types.problems import Problem
from edge.pictures import PictureHead
from portal.features.playground.conversation.content import from_content
from portal.features.playground.conversation.transcript import Image, new_turn
from portal.features.playground.history import state as history_state
from portal.features.playground.pictures import pictures
from portal.features.playground.pictures import routes as picture_routes
from portal.features.playground.pictures.pictures import (
    NotTaken,
    PictureGone,
    Pictures,
    address_of,
    checked,
    outline,
    with_images,
)
from portal.server.security import SecurityHeaders

pytestmark = pytest.mark.fast

ORIGIN = "https://portal.example.com"


def drawn(kind: str = "PNG", size: tuple[int, int] = (60, 40), color: str = "teal") -> bytes:
    out = io.BytesIO()
    Drawing.new("RGB", size, color).save(out, kind)
    return out.getvalue()


def padded(size: int, color: str = "teal") -> bytes:
    """A picture of so many bytes: what comes after its end is none of a reader's concern."""
    return drawn(color=color).ljust(size, b"\0")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_what_its_content_says(kind: str) -> None:
    assert checked(drawn(kind)) == PictureHead(f"image/{kind.lower()}", 60, 40)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"\x89PNG\r\n\x1a\n<script>",
        b"GIF89a",
        drawn("BMP"),
        drawn(size=(12_001, 1)),
        padded(6_000_001),
    ],
    ids=["nothing", "svg", "html", "half a png", "half a gif", "bmp", "too wide", "too large"],
)
def test_what_is_no_picture_is_not_taken(content: bytes) -> None:
    with pytest.raises(NotTaken):
        Pictures().put("ada/t", content)


def test_who_counts_tokens_gets_a_pictures_size_and_nothing_of_it() -> None:
    held = Pictures()
    seen = Image("a.jpg", address_of(held.put("ada/t", drawn("JPEG", (613, 257)))))
    counted = held.in_outline("ada/t")(seen).url
    assert counted == outline(PictureHead("image/jpeg", 613, 257))
    assert image_size(counted) == (613, 257)
    assert len(counted) < 100
    elsewhere = Image("b", "https://example.com/b.png")
    assert held.in_outline("ada/t")(elsewhere) == elsewhere == held.in_full("ada/t")(elsewhere)


def test_a_picture_goes_to_a_model_whole_and_from_its_owner_alone() -> None:
    held, content = Pictures(), drawn("WEBP")
    seen = Image("a", address_of(held.put("ada/one", content)))
    assert held.in_full("ada/one")(seen).url == pictures.data_url("image/webp", content)
    for owner in ("ada/two", "bob/one", "ada/one/view", ""):
        with pytest.raises(PictureGone, match="The picture a is not here"):
            held.in_full(owner)(seen)
    # Kept by its name alone, since it was too large
    with pytest.raises(PictureGone):
        held.in_full("ada/one")(Image("a", ""))


def test_pictures_are_bounded_and_the_longest_unused_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_OWN", 2)
    monkeypatch.setattr(pictures, "MOST_HELD_BYTES", 3_000)
    held = Pictures()
    red, green, blue = (held.put("a", padded(500, color)) for color in ("red", "green", "blue"))
    assert [bool(held.find("a", each)) for each in (red, green, blue)] == [False, True, True]
    assert held.find("a", green)
    held.put("b", padded(2_500))
    # One of another's has to go too: that which was not looked at last
    assert [bool(held.find("a", each)) for each in (green, blue)] == [True, False]
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + pictures.IDLE_SECONDS + 60)
    assert held.find("a", green) is None


def test_what_is_kept_has_the_latest_pictures_that_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, other = Pictures(), Pictures()
    monkeypatch.setattr(history_state, "pictures", held)
    small, large, latest = padded(60_000), padded(300_000, "red"), padded(200_000, "blue")
    turns = [
        new_turn(
            "é" * 5_000, ["m"], images=[Image(name, address_of(held.put("a", content)), "alt")]
        )
        for name, content in (("small", small), ("large", large), ("latest", latest))
    ]
    content = {"turns": history_state.kept_content(turns, "a"), "models": ["m"] * 4}
    kept = ConversationWrite(title="x", content=content).content["turns"]
    urls = [turn["images"][0]["url"] for turn in kept]
    assert [url[:22] for url in urls] == ["data:image/png;base64,", "", "data:image/png;base64,"]
    # Another portal's process opens it
    opened = with_images(from_content(kept), other.taken_in("b"))
    assert [other.at("b", turn.images[0].url) is not None for turn in opened] == [True, False, True]
    again = other.at("b", opened[2].images[0].url)
    assert again is not None
    assert again.content == latest
    assert opened[1].images == (Image("large", "", "alt"),)
    # Long enough, and no picture fits
    turns.append(new_turn("x" * (MOST_CONTENT_BYTES - 40_000), ["m"]))
    assert not any(turn["images"][0]["url"] for turn in history_state.kept_content(turns, "a")[:3])


@pytest.mark.parametrize("url", ["data:image/png;base64,!", "data:text/html,x", "data:"])
def test_a_shared_conversation_brings_no_file_that_is_no_picture(url: str) -> None:
    assert Pictures().taken_in("a")(Image("x", url)).url == ""


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A browser of whoever its cookie names: a person, their tenant, their role."""

    async def find(token: str, *, address: str | None) -> SimpleNamespace:
        if not token:
            raise Unauthenticated(Problem(title="Unauthenticated", status=401))
        person, tenant, role, *view = token.split(".")
        return SimpleNamespace(
            me=SimpleNamespace(
                user_id=person,
                tenant=SimpleNamespace(id=tenant),
                role=Role(role),
                viewing_until="soon" if view else None,
            )
        )

    monkeypatch.setattr(picture_routes, "callers", SimpleNamespace(find=find))
    monkeypatch.setattr(
        picture_routes,
        "portal_settings",
        lambda: SimpleNamespace(session_cookie="session", origins=(ORIGIN,)),
    )
    monkeypatch.setattr(picture_routes, "pictures", Pictures())
    app = SecurityHeaders(
        Starlette(routes=[*picture_routes.ROUTES]),
        "default-src 'self'",
        https=False,
    )
    return TestClient(app)


def sent(
    browser: TestClient, who: str, content: bytes, origin: str | None = ORIGIN
) -> tuple[int, str]:
    browser.cookies.set("session", who)
    headers = {"origin": origin} if origin else {}
    answer = browser.post("/uploads/pictures", content=content, headers=headers)
    return answer.status_code, answer.text


def test_a_picture_is_uploaded_by_who_may_ask_from_the_portal_itself(browser: TestClient) -> None:
    for origin in ("https://elsewhere.example", "null", None):
        assert sent(browser, "ada.t.developer", drawn(), origin)[0] == 403
    assert sent(browser, "", drawn())[0] == 401
    for who in ("ada.t.viewer", "ada.t.billing", "ada.t.developer.view"):
        assert sent(browser, who, drawn())[0] == 403
    assert sent(browser, "ada.t.developer", b"<svg/>") == (415, "It is no PNG, JPEG, WebP or GIF.")
    assert sent(browser, "ada.t.developer", padded(6_000_001)) == (413, "It has more than 6 MB.")
    assert sent(browser, "ada.t.developer", drawn())[0] == 200


def test_a_picture_is_shown_to_its_owner_and_tenant_alone(browser: TestClient) -> None:
    content = drawn("GIF")
    browser.cookies.set("session", "ada.t.developer")
    answer = browser.post("/uploads/pictures", content=content, headers={"origin": ORIGIN})
    address = address_of(answer.json()["id"])
    shown = browser.get(address)
    assert shown.content == content
    assert {
        name: shown.headers[name]
        for name in (
            "content-type",
            "cache-control",
            "content-security-policy",
            "cross-origin-resource-policy",
            "x-content-type-options",
        )
    } == {
        "content-type": "image/gif",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    for who, status in (
        ("ada.other.developer", 404),
        ("bob.t.owner", 404),
        ("ada.t.developer.view", 404),
        ("", 401),
    ):
        browser.cookies.set("session", who)
        refused = browser.get(address)
        assert (refused.status_code, refused.headers["content-security-policy"]) == (
            status,
            "default-src 'self'",
        )
