"""Tokens of pictures: the examples of OpenAI's page, and sizes read from real files' headers.

https://developers.openai.com/api/docs/guides/images-vision#calculating-costs
"""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.metering.tokens import tokenizer_for
from backend.metering.tokens.image_size import image_size
from backend.metering.tokens.images import RULES, count_images, rule_for
from tests.support.examples import examples

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4.1-2025-04-14", (2049, 513), "high", 85 + 170 * 8),
        ("gpt-4o-mini-2024-07-18", (128, 64), "high", 2833 + 5667),
        ("o3", (128, 64), "high", 75 + 150),
        ("gpt-5-chat-latest", (1, 1), "auto", 70 + 140),
        ("gpt-5.2", (1024, 1024), "high", 1024),
        ("gpt-5.2", (1800, 2400), "high", 1452),
        ("gpt-4.1-mini", (1024, 1024), "high", 1659),  # 1024 x 1.62 = 1658.88
        ("gpt-4.1-mini", (4000, 1474), "high", 2488),  # as the API billed it: 1536 x 1.62
        ("gpt-4.1-nano", (128, 64), "high", 20),  # 8 patches x 2.46 = 19.68
        ("gpt-5.4", (3200, 3200), "high", 2500),
        ("gpt-5.4", (3200, 3200), "original", 10_000),
        ("gpt-5.5", (3200, 3200), "auto", 10_000),
        ("gpt-5-mini", (4096, 4096), "low", 415),  # 16 x 16 patches x 1.62 = 414.72
    ],
)
def test_the_published_rules(model: str, size: tuple[int, int], detail: str, tokens: int) -> None:
    rule = rule_for(model)
    assert rule is not None
    assert rule.tokens(*size, detail) == tokens


def test_a_version_or_a_vendors_prefix_does_not_hide_the_model() -> None:
    assert rule_for("openai/gpt-4o-2024-08-06") == RULES["gpt-4o"]
    assert rule_for("gpt-4.5-preview-2025-02-27") == RULES["gpt-4.5"]
    assert rule_for("computer-use-preview") == RULES["computer-use-preview"]
    assert rule_for("gpt-4o-mini") != rule_for("gpt-4o")
    assert rule_for("smollm2-135m-instruct") is None


@given(
    st.sampled_from(sorted(RULES)),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.sampled_from(["low", "high", "auto", "original"]),
)
def test_no_picture_costs_more_than_the_most(
    model: str, width: int, height: int, detail: str
) -> None:
    rule = RULES[model]
    tokens = rule.tokens(width, height, detail)
    assert 0 < tokens <= rule.most(detail)
    assert tokens == rule.tokens(height, width, detail)


def data_url(picture: Image.Image, kind: str, **options: Any) -> str:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\0\0" + b"\0" * 60_000, "icc_profile": b"x" * 200_000}),
        ("WEBP", {"lossless": False}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM"}),
    ],
)
def test_a_size_is_read_from_a_real_files_header(kind: str, options: dict[str, Any]) -> None:
    assert image_size(data_url(Image.new("RGB", (613, 257), "teal"), kind, **options)) == (613, 257)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.com/a.png",
        "file:///etc/hostname",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png;base64,!!!!",
        "data:image/png;base64,iVBORw0KGgo=",
        "data:image/gif;base64," + base64.b64encode(b"GIF89a\0\0\0\0").decode(),
        "data:text/plain,hello",
        "data:" + "x" * 5_000,
    ],
)
def test_a_url_that_does_not_tell_a_size(url: str) -> None:
    assert image_size(url) is None


@settings(max_examples=examples(300))
@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8", b"RIFF\0\0\0\0WEBPVP8X"]),
    st.binary(max_size=200),
)
def test_broken_headers_are_no_sizes_or_sizes(magic: bytes, rest: bytes) -> None:
    size = image_size("data:;base64," + base64.b64encode(magic + rest).decode())
    assert size is None or min(size) > 0


def chat(url: str, detail: str = "high") -> list[dict[str, Any]]:
    image = {"type": "image_url", "image_url": {"url": url, "detail": detail}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]


async def test_a_picture_counts_beside_the_text() -> None:
    url = data_url(Image.new("RGB", (1024, 1024)), "PNG")
    counted = await tokenizer_for("tiktoken:o200k_base", model="gpt-4o").count_chat(chat(url))
    assert (counted.images, counted.exact) == (765, True)


def test_a_picture_that_is_elsewhere_counts_as_the_largest_and_is_not_fetched() -> None:
    elsewhere = chat("https://images.invalid/a.png")
    tokens, notes = count_images("gpt-4o", elsewhere)
    assert (tokens, len(notes)) == (1445, 1)
    assert notes[0].startswith("messages.0.content.1: ")
    assert count_images("gpt-4o", chat("https://images.invalid/a.png", "low")) == (85, ())


def test_a_model_without_a_rule_says_whose_it_takes() -> None:
    url = data_url(Image.new("RGB", (1024, 1024)), "PNG")
    tokens, notes = count_images("some-model", chat(url))
    assert (tokens, len(notes)) == (765, 1)
    assert "gpt-4o" in notes[0]
