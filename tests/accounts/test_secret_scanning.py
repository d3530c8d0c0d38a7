"""Whose messages of a secret scanner are read, with real keys and signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from backend.accounts.errors import ScannerKeysUnavailable, ScanSignatureWrong
from backend.accounts.keys.secret_scanning import MOST_MATCHES, Match, SecretScanner
from backend.errors import MalformedRequest
from tests.accounts.scanner_double import ScannerDouble
from tests.support.serving import served

pytestmark = pytest.mark.fast

MATCH = {"token": "t", "type": "farebox_key", "url": "https://a.example/x", "source": "content"}


@pytest.fixture
def double() -> ScannerDouble:
    return ScannerDouble()


@pytest.fixture
async def scanner(double: ScannerDouble) -> AsyncIterator[SecretScanner]:
    async with served(double.app) as url:
        yield SecretScanner(f"{url}/meta/public_keys/secret_scanning", refresh_seconds=0)


async def test_a_signed_message_is_read_and_the_keys_are_fetched_once(
    double: ScannerDouble, scanner: SecretScanner
) -> None:
    body, headers = double.message(MATCH, {"token": "u", "type": "x", "more": 1})
    for _ in range(3):
        assert await scanner.read(headers, body) == [
            Match("t", "farebox_key", "https://a.example/x", "content"),
            Match("u", "x"),
        ]
    assert double.asked == 1


async def test_a_new_key_is_fetched_when_it_signs(
    double: ScannerDouble, scanner: SecretScanner
) -> None:
    first = double.message(MATCH)
    await scanner.read(first[1], first[0])
    double.rotate()
    body, headers = double.message(MATCH)
    assert len(await scanner.read(headers, body)) == 1
    assert len(await scanner.read(first[1], first[0])) == 1
    assert double.asked == 2


async def test_what_the_scanner_did_not_sign_is_refused(
    double: ScannerDouble, scanner: SecretScanner
) -> None:
    body, headers = double.message(MATCH)
    stranger = ScannerDouble()
    raw = base64.b64decode(headers["github-public-key-signature"])
    wrong = [
        (body + b" ", headers),
        (body, {}),
        (body, stranger.signed(body)),
        (body, stranger.signed(body) | {"github-public-key-identifier": next(iter(double.keys))}),
        (body, headers | {"github-public-key-signature": ""}),
        (body, headers | {"github-public-key-signature": "!"}),
        (body, headers | {"github-public-key-signature": "A" * 1_000}),
        (body, headers | {"github-public-key-signature": base64.b64encode(raw[:-1]).decode()}),
    ]
    for content, given in wrong:
        with pytest.raises(ScanSignatureWrong):
            await scanner.read(given, content)


async def test_a_signed_message_of_another_form_is_refused(
    double: ScannerDouble, scanner: SecretScanner
) -> None:
    many = json.dumps([MATCH] * (MOST_MATCHES + 1)).encode()
    for body in (b"", b"{}", b"[1]", b'[{"token":1,"type":"x"}]', b'[{"type":"x"}]', many):
        with pytest.raises(MalformedRequest):
            await scanner.read(double.signed(body), body)
    body = b"[" * 100_000
    with pytest.raises(MalformedRequest):
        await scanner.read(double.signed(body), body)


async def test_without_usable_keys_the_scanner_is_asked_to_come_again(
    double: ScannerDouble, scanner: SecretScanner
) -> None:
    body, headers = double.message(MATCH)
    double.is_away = True
    with pytest.raises(ScannerKeysUnavailable):
        await scanner.read(headers, body)
    double.is_away = False
    assert await scanner.read(headers, body)
    double.rotate(ec.SECP384R1())  # of no curve that the program has
    body, headers = double.message(MATCH)
    with pytest.raises(ScannerKeysUnavailable):
        await scanner.read(headers, body)
