"""What CloudEvents 1.0.2 allows is taken: extensions, content types, base64, binary mode.

Attributes and headers are those of the specification's own examples.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend.metering.ingest.binary_mode import read_binary_mode
from backend.metering.ingest.parsing import read_document, read_json, read_member
from backend.metering.ingest.plain_events import SentEvent, plain_event
from backend.metering.refusals.refusal import Refusal
from tests.support.tenants import SampleTenant

pytestmark = pytest.mark.fast

TENANT = SampleTenant("ten_a", "a", "app_a", {})
TIME = "2026-03-01T00:00:04.123456789Z"


def read(**changes: Any) -> SentEvent | Refusal:
    """The event as ``read_member`` reads it; the contract itself reads the same."""
    document = TENANT.event("1", time=TIME) | changes
    event, strict = read_member(json.dumps(document).encode()), read_document(document)
    assert event == strict
    return event


@pytest.mark.parametrize(
    "extensions",
    [
        {"dataschema": "https://example.com/usage.json"},
        {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        {"tracestate": "rojo=00f067aa0ba902b7", "partitionkey": "a"},
        {"comexampleextension1": "value", "comexampleothervalue": 5},
        {"sampledrate": 10, "final": True, "absent": None},
    ],
)
def test_extension_attributes_are_taken_and_not_kept(extensions: dict[str, Any]) -> None:
    assert read(**extensions) == read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("traceParent", "00-4b"),  # names are in lower case
        ("trace_parent", "00-4b"),
        ("context", {"a": 1}),  # an attribute is no object
        ("list", [1]),
        ("rate", 0.5),  # nor a number with decimals
        ("labels", "team=search"),  # who writes these means the data's
        ("key", "key_1"),
        ("model", "large"),
    ],
)
def test_what_is_no_attribute_or_belongs_into_the_data_is_refused(name: str, value: Any) -> None:
    refusal = read(**{name: value})
    assert isinstance(refusal, Refusal)
    assert (refusal.event_id, refusal.field) == ("1", name)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/vnd.example.usage+json",
        "text/json",
        None,
    ],
)
def test_every_kind_of_json_is_taken(content_type: str | None) -> None:
    assert read(datacontenttype=content_type) == read()


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "json", "a/b, c/json"])
def test_other_content_is_refused(content_type: str) -> None:
    refusal = read(datacontenttype=content_type)
    assert isinstance(refusal, Refusal)
    assert (refusal.field, refusal.detail) == (
        "datacontenttype",
        "is not a kind of JSON: usage is sent as one",
    )


def test_data_in_base64_is_read_with_every_digit() -> None:
    event = TENANT.event("1", time=TIME)
    data = event.pop("data") | {"quantities": {"audio_seconds": "?"}}
    text = json.dumps(data).replace('"?"', "123456789012.123456789")
    packed = base64.b64encode(text.encode()).decode()
    sent = read_member(json.dumps(event | {"data_base64": packed}).encode())
    assert isinstance(sent, SentEvent)
    assert sent.data.quantities == {"audio_seconds": Decimal("123456789012.123456789")}
    for wrong in ("***", base64.b64encode(b"no json").decode(), 7):
        refusal = read_member(json.dumps(event | {"data_base64": wrong}).encode())
        assert isinstance(refusal, Refusal)
    both = read_member(json.dumps(TENANT.event("1", data_base64=packed)).encode())
    assert isinstance(both, Refusal)
    assert both.field == "data_base64"


def in_headers(*more: tuple[str, str], **changes: str) -> list[tuple[str, str]]:
    attributes = {"specversion": "1.0", "type": "ai.usage", "id": "1", "source": "test"}
    attributes |= {"subject": "ten_a", "time": TIME} | changes
    return [
        ("host", "example.com"),
        *((f"ce-{name}", value) for name, value in attributes.items()),
        *more,
    ]


def binary(*more: tuple[str, str], **changes: str) -> SentEvent | Refusal:
    body = json.dumps(TENANT.event("1")["data"]).encode()
    return read_binary_mode(in_headers(*more, **changes), "application/json", body)


def test_an_event_in_headers_is_the_event_in_a_body() -> None:
    assert binary() == read()
    assert binary(traceparent="00-4b", dataschema="https://example.com/") == read()


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),  # the binding's own example
        ('"Euro \\"x\\""', 'Euro "x"'),
        ("caf\u00c3\u00a9", "café"),  # bytes of UTF-8 as they are
        ("100%25", "100%"),
    ],
)
def test_values_of_headers_are_decoded_once(value: str, meaning: str) -> None:
    event = binary(source=value)
    assert isinstance(event, SentEvent)
    assert event.source == meaning


def test_headers_that_say_no_event_are_refused_with_their_name() -> None:
    for refusal, field in (
        (binary(source="%FF"), "source"),
        (binary(source="\xff"), "source"),
        (binary(("ce-id", "2")), "id"),
        (binary(("ce-datacontenttype", "text/plain")), "datacontenttype"),
        (binary(("ce-data", "{}")), "data"),
        (binary(specversion="0.3"), "specversion"),
        (binary(time="yesterday"), "time"),
        (read_binary_mode(in_headers(), "text/plain", b"{}"), "datacontenttype"),
        (read_binary_mode(in_headers(), "application/json", b"{"), "data"),
        (read_binary_mode(in_headers(), "application/json", b"[" * 100_000), "data"),
    ):
        assert isinstance(refusal, Refusal), field
        assert refusal.field == field


def test_nanoseconds_are_cut_in_one_event_and_in_a_batch() -> None:
    fine = TENANT.event("1", time="2026-10-31T23:59:59.9999996Z")
    last = datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC)
    alone = read_json(json.dumps(fine).encode())
    batch = read_json(json.dumps([fine, fine, fine | {"anextension": 1}]).encode())
    for event in [*alone, *batch, read_document(fine)]:
        assert isinstance(event, SentEvent)
        assert event.time == last


@pytest.mark.parametrize(
    "number", ['"1_000"', '" 7 "', '"\u0663"', '"\uff11\uff12"', '"+1 "', '""']
)
def test_a_text_is_a_number_only_as_json_writes_it(number: str) -> None:
    body = json.dumps(TENANT.event("1", data__quantities={"requests": "?"}))
    refusal = read_member(body.replace('"?"', number).encode())
    assert isinstance(refusal, Refusal)
    assert (refusal.field, refusal.detail) == ("data.quantities.requests", "is not a number")


def test_a_decimal_and_a_time_with_an_offset_take_the_fast_way() -> None:
    event = TENANT.event(
        "1",
        time="2026-03-01T00:00:04.5+02:00",
        traceparent="00-4b",
        data__quantities={"audio_seconds": 0.1, "requests": "2", "images": "0.5"},
    )
    sent = plain_event(json.dumps(event).encode())
    assert sent is not None
    assert sent.data.quantities == {
        "audio_seconds": Decimal("0.1"),
        "requests": Decimal(2),
        "images": Decimal("0.5"),
    }
