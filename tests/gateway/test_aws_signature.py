"""AWS's signature against AWS's own test suite."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from backend.gateway.aws_signature import (
    AwsKey,
    NoAwsKey,
    canonical_request,
    signature_headers,
)
from backend_client.types.upstreams import AwsSignature

pytestmark = pytest.mark.fast

SUITE = json.loads(Path(__file__).with_name("aws_signatures.json").read_text())


@pytest.mark.parametrize("case", SUITE["cases"], ids=lambda case: case["name"])
def test_requests_are_signed_as_by_awss_own_test_suite(case: dict[str, Any]) -> None:
    key = AwsKey(SUITE["access_key_id"], SUITE["secret_access_key"], case["token"])
    headers = {
        name: text
        for name, text in case["headers"].items()
        if name.lower() not in ("x-amz-date", "x-amz-security-token")
    }
    body, at = case["body"].encode(), datetime.fromisoformat(SUITE["at"])
    request = {"method": case["method"], "target": case["target"], "body": body}
    scope = AwsSignature(region=SUITE["region"], service=SUITE["service"])
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
    for text in ("", "AKIDEXAMPLE", "AKIDEXAMPLE:", ":s", "AKID EX:s", "AKIDEXAMPLE:s:", "A:b:c:d"):
        with pytest.raises(NoAwsKey) as refused:
            AwsKey.read(text)
        assert text == "" or text not in str(refused.value)
