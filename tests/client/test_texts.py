"""No text that is sent hides characters, which forge a line, color a terminal or turn around."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from backend_client.types.accounts import (
    ApiKeyChange,
    ApiKeyCreate,
    ApplicationCreate,
    InvitationCreate,
    Role,
    TenantCreate,
)
from backend_client.types.common import Wire
from backend_client.types.events import UsageEvent
from backend_client.types.invoices import BillingDetails
from backend_client.types.texts import AS_STORED, Prose, shown

pytestmark = pytest.mark.fast

HIDDEN = ["\x1b[31mred", "two\nlines", "nul\x00", "\u202eturned", "\u2028", "\x9b"]
SHOWN = ["Größe", "株式会社", "شركة", "नमस्ते", "👩\u200d💻", "a\u00a0b", "“x”", "ไทย\u200bไทย"]


@pytest.mark.parametrize("text", HIDDEN)
def test_no_name_has_hidden_characters(text: str) -> None:
    attempts: list[tuple[type[Wire], dict[str, Any]]] = [
        (TenantCreate, {"slug": "a", "name": text}),
        (ApplicationCreate, {"name": text}),
        (ApiKeyCreate, {"name": text, "application_id": "app_1"}),
        (ApiKeyCreate, {"name": "a", "application_id": "app_1", "models": [text]}),
        (ApiKeyChange, {"name": text}),
        (InvitationCreate, {"role": Role.VIEWER, "note": text}),
        (BillingDetails, {"name": text}),
        (BillingDetails, {"address": [text]}),
        (
            UsageEvent,
            {
                "id": "1",
                "source": "s",
                "data": {
                    "application": "a",
                    "model": "m",
                    "quantities": {"requests": 1},
                    "labels": {"team": text},
                },
            },
        ),
    ]
    for wanted, sent in attempts:
        with pytest.raises(ValidationError):
            wanted.model_validate(sent)


@pytest.mark.parametrize("text", SHOWN)
def test_every_script_can_be_written(text: str) -> None:
    assert ApplicationCreate(name=text).name == text


@pytest.mark.parametrize("text", [" ", "\u00a0", "\u200b\u2060"])
def test_a_name_is_not_blank(text: str) -> None:
    with pytest.raises(ValidationError, match="can be seen"):
        ApplicationCreate(name=text)


class Letter(Wire):
    text: Prose
    subject: str = ""


def test_prose_has_lines_and_nothing_else_that_is_hidden() -> None:
    assert Letter(text="one\n\ttwo\r\n").text == "one\n\ttwo\r\n"
    for wrong in ({"text": "\x1b"}, {"text": "\u202e"}, {"text": "", "subject": "a\nb"}):
        with pytest.raises(ValidationError, match="can't be shown"):
            TypeAdapter(Letter).validate_python(wrong)


def test_the_character_is_named() -> None:
    with pytest.raises(ValidationError, match=r"U\+001B"):
        ApplicationCreate(name="a\x1b")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("\x1b[31mRED\x1b]0;x\x07", "[31mRED ]0;x"),
        ("  Ada \n Lovelace\u202e ", "Ada Lovelace"),
        ("x" * 500, "x" * 200),
        ("\x00", ""),
    ],
)
def test_what_others_wrote_is_shown_without_them(text: str, result: str) -> None:
    assert shown(text, most=200) == result


def test_what_was_taken_before_is_read_as_it_is() -> None:
    """Rows of an older Farebox, and answers with them, must not become unreadable."""
    old = {"name": "two\nlines", "address": ["\x1b[31m"]}
    assert BillingDetails.model_validate(old, context=AS_STORED).name == "two\nlines"
    assert ApplicationCreate.model_validate({"name": " "}, context=AS_STORED).name == " "
    with pytest.raises(ValidationError):
        BillingDetails.model_validate(old)
