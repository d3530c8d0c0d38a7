"""AWS's signature against AWS's own test suite."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from backend.gateway.upstreams import signing
from backend.gateway.upstreams.aws_signature import (
    AwsKey,
    NoAwsKey,
    canonical_request,
    signature_headers,
)
from backend_client.types.upstreams import AwsSignature, UpstreamTerms, can_call

pytestmark = pytest.mark.fast

SUITE = json.loads(Path(__file__).with_name("aws_signatures.json").read_text())


@pytest.mark.parametrize("case", SUITE["cases"], ids=lambda case: case["name"])
def test_requests_are_signed_as_by_awss_own_test_suite(case: dict[str, Any]) -> None:
    require_signed(case, SUITE["service"])


@pytest.mark.parametrize("case", SUITE["other_cases"], ids=lambda case: case["name"])
def test_a_models_id_in_the_path_is_signed_as_by_awss_own_sdk(case: dict[str, Any]) -> None:
    """With a colon as it is sent, and a slash that is sent encoded."""
    require_signed(case, "bedrock")


def require_signed(case: dict[str, Any], service: str) -> None:
    key = AwsKey(SUITE["access_key_id"], SUITE["secret_access_key"], case["token"])
    headers = {
        name: text
        for name, text in case["headers"].items()
        if name.lower() not in ("x-amz-date", "x-amz-security-token")
    }
    body, at = (
        hashlib.sha256(case["body"].encode()).hexdigest(),
        datetime.fromisoformat(SUITE["at"]),
    )
    request = {"method": case["method"], "target": case["target"], "body_sha256": body}
    scope = AwsSignature(region=SUITE["region"], service=service)
    signed = signature_headers(key, scope, at, headers=headers, **request)
    all_headers = {name.lower(): text for name, text in headers.items()} | signed
    authorization = all_headers.pop("authorization")
    canonical = canonical_request(case["method"], case["target"], all_headers, body)
    assert canonical == case["canonical"]
    assert authorization == case["authorization"]


def test_a_key_is_an_id_and_a_secret_and_a_temporary_ones_token() -> None:
    assert AwsKey.read("AKIDEXAMPLE:s/e+c") == AwsKey("AKIDEXAMPLE", "s/e+c")
    assert AwsKey.read("ASIAEXAMPLE:s:t==") == AwsKey("ASIAEXAMPLE", "s", "t==")
    assert "s/e+c" not in repr(AwsKey.read("AKIDEXAMPLE:s/e+c:token"))
    for text in (
        *("", "AKIDEXAMPLE", "AKIDEXAMPLE:", ":s", "AKID EX:s", "AKIDEXAMPLE:s:", "A:b:c:d"),
        "AKIDEXAMPLE:s:\u200btoken",
    ):
        with pytest.raises(NoAwsKey) as refused:
            AwsKey.read(text)
        assert text == "" or text not in str(refused.value)


@pytest.mark.parametrize("text", ["", " a", "a ", "a\n", "a\r\nx: y", "k\u200bey", "clé", "\x7f"])
def test_a_key_that_is_sent_is_of_what_a_header_may_hold(text: str) -> None:
    assert can_call(None, "a key/of=some+server~")
    assert not can_call(None, text)


async def test_a_long_body_is_hashed_beside_the_other_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terms = UpstreamTerms(
        base_url="https://b.example", models=["m"], aws_signature=AwsSignature(region="eu-west-1")
    )
    hashed_by: list[threading.Thread] = []
    usual = signing._sha256

    def noted(body: bytes) -> str:
        hashed_by.append(threading.current_thread())
        return usual(body)

    monkeypatch.setattr(signing, "_sha256", noted)
    sent = {"content-type": "application/json"}
    for size in (signing._HASHED_AT_ONCE_BYTES, signing._HASHED_AT_ONCE_BYTES + 1):
        headers = await signing.signed(terms, "AKID:s", "https://b.example/m", sent, bytes(size))
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    own = threading.main_thread()
    assert [thread is own for thread in hashed_by] == [True, False]
