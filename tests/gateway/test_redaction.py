"""What is left out of a body that is kept, and what stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.request_log.body_texts import LONGEST_BODY, body_text
from backend.gateway.request_log.redaction import redacted

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to ada.l+x@mail.example.org now", "write to [e-mail] now"),
        ("4111-1111-1111-1111", "[card number]"),
        ("378282246310005.", "[card number]."),
        ("order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),  # its last digit is wrong
        ("0000 0000 0000 0000", "0000 0000 0000 0000"),
        ("at 20261130T101500 in 1234567", "at 20261130T101500 in 1234567"),
        ("sk-proj-abcdefghijklmnopqrst, ghp_ABCDEFGHIJKLMNOPQRST12", "[key], [key]"),
        ("AKIAIOSFODNN7EXAMPLE fb_live_0123456789abcdefXYZ", "[key] [key]"),
        ("risk-averse sk-8", "risk-averse sk-8"),
        ("user@host", "user@host"),
    ],
)
def test_what_has_the_form_of_a_secret_is_left_out(text: str, kept: str) -> None:
    assert redacted(text) == kept
    assert redacted(text, private=False) == text
    assert redacted({"a": [{text: text}, 1]}) == {"a": [{kept: kept}, 1]}


def test_numbers_are_cards_too_and_pictures_are_named_only() -> None:
    assert redacted(4111111111111111) == "[card number]"
    assert redacted([True, 1.5, None, 41]) == [True, 1.5, None, 41]
    picture = "data:image/png;base64," + "A" * 5000
    assert redacted(picture, private=False) == "data:image/png;base64,[5,000 characters]"


def test_a_body_is_bounded_and_can_be_stored() -> None:
    long = body_text("x" * (LONGEST_BODY + 1), private=True)
    assert (len(long.text), long.shortened) == (LONGEST_BODY, True)
    assert body_text({"a": "\x00\ud800"}, private=True).text.isprintable()
    deep: Any = "sk-abcdefghijklmnopqrst"
    for _ in range(5000):
        deep = [deep]
    assert "too deep" in body_text(deep, private=True).text


@given(st.recursive(st.text() | st.integers() | st.none(), lambda part: st.lists(part)))
def test_what_was_redacted_once_stays_as_it_is(value: Any) -> None:
    assert redacted(redacted(value)) == redacted(value)
