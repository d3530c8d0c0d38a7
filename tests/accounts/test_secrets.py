"""A key's form, which scanners for leaked secrets go by."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.accounts.secrets import API_KEY, OPERATOR_KEY, SESSION, is_mistyped, new_secret
from tests.support.paths import ROOT

pytestmark = pytest.mark.fast

PUBLISHED = re.compile(r"fb_(live|oper)_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_the_pattern_is_published_as_it_is() -> None:
    assert PUBLISHED.pattern in Path(ROOT, "docs", "api.md").read_text()


@pytest.mark.parametrize("prefix", [API_KEY, OPERATOR_KEY])
def test_a_key_has_the_published_form_and_checksum(prefix: str) -> None:
    for _ in range(50):
        secret = new_secret(prefix)
        assert PUBLISHED.fullmatch(secret.value)
        assert not is_mistyped(secret.value)
        number = 0
        for digit in secret.value[-6:]:
            number = number * 62 + DIGITS.index(digit)
        assert number == zlib.crc32(secret.value[:-6].encode())
        assert secret.last_four == secret.value[-4:]


@given(place=st.integers(0, 42), letter=st.sampled_from(DIGITS))
def test_a_key_with_another_letter_is_mistyped(place: int, letter: str) -> None:
    value = new_secret(API_KEY).value
    at = len(API_KEY) + place
    other = value[:at] + letter + value[at + 1 :]
    assert is_mistyped(other) == (other != value)


def test_other_credentials_and_keys_from_before_have_no_checksum() -> None:
    assert not PUBLISHED.fullmatch(new_secret(SESSION).value)
    assert not is_mistyped(new_secret(SESSION).value)
    assert not is_mistyped(new_secret(API_KEY).value[:-6])
