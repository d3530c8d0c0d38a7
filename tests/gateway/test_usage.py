"""What providers report, in each of their ways, and what of it bills."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.usage import (
    ANTHROPIC,
    GEMINI,
    OPENAI,
    OPENAI_IMAGES,
    Dialect,
    Usage,
    merged,
    read_usage,
)

pytestmark = pytest.mark.fast


def quantities(report: object, dialect: Dialect = OPENAI) -> dict[str, int]:
    """The billed tokens, without the request."""
    usage = read_usage(report, dialect)
    assert usage is not None
    return {meter: int(q) for meter, q in usage.quantities().items() if meter != "requests"}


REPORTS: dict[str, tuple[dict[str, Any], Dialect, dict[str, int]]] = {
    "OpenAI": (
        {
            "prompt_tokens": 114,
            "completion_tokens": 106,
            "total_tokens": 220,
            "prompt_tokens_details": {"audio_tokens": 100, "cached_tokens": 4},
            "completion_tokens_details": {
                "audio_tokens": 80,
                "reasoning_tokens": 6,
                "accepted_prediction_tokens": 3,
            },
        },
        OPENAI,
        {
            "input_tokens": 10,
            "cached_input_tokens": 4,
            "audio_input_tokens": 100,
            "output_tokens": 20,
            "reasoning_tokens": 6,
            "audio_output_tokens": 80,
        },
    ),
    "OpenAI's responses": (
        {
            "input_tokens": 50,
            "input_tokens_details": {"cached_tokens": 30},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 15},
            "total_tokens": 70,
        },
        OPENAI,
        {
            "input_tokens": 20,
            "cached_input_tokens": 30,
            "output_tokens": 5,
            "reasoning_tokens": 15,
        },
    ),
    "xAI, which counts thoughts beside the completion": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        OPENAI,
        {
            "input_tokens": 26,
            "cached_input_tokens": 6,
            "output_tokens": 9,
            "reasoning_tokens": 94,
        },
    ),
    "thoughts that only the total tells": (
        {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 530},
        OPENAI,
        {"input_tokens": 10, "output_tokens": 20, "reasoning_tokens": 500},
    ),
    "some thoughts named, more in the total": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 35,
            "completion_tokens_details": {"reasoning_tokens": 8},
        },
        OPENAI,
        {"input_tokens": 10, "output_tokens": 12, "reasoning_tokens": 13},
    ),
    "OpenRouter": (
        {
            "prompt_tokens": 10_339,
            "completion_tokens": 60,
            "total_tokens": 10_399,
            "cost": 0.04,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 10_318},
            "cost_details": {"upstream_inference_cost": None},
        },
        OPENAI,
        {"input_tokens": 21, "cache_write_tokens": 10_318, "output_tokens": 60},
    ),
    "DeepSeek": (
        {
            "prompt_tokens": 1_000,
            "completion_tokens": 5,
            "prompt_cache_hit_tokens": 900,
            "prompt_cache_miss_tokens": 100,
        },
        OPENAI,
        {"input_tokens": 100, "cached_input_tokens": 900, "output_tokens": 5},
    ),
    "Moonshot": (
        {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32, "cached_tokens": 10},
        OPENAI,
        {"input_tokens": 9, "cached_input_tokens": 10, "output_tokens": 13},
    ),
    "vLLM": (
        {"prompt_tokens": 7, "total_tokens": 12, "completion_tokens": 5}
        | {"prompt_tokens_details": None},
        OPENAI,
        {"input_tokens": 7, "output_tokens": 5},
    ),
    "Anthropic": (
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 1_000,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 100,
                "ephemeral_1h_input_tokens": 200,
            },
            "output_tokens": 40,
            "service_tier": "standard",
        },
        ANTHROPIC,
        {
            "input_tokens": 21,
            "cached_input_tokens": 1_000,
            "cache_write_tokens": 100,
            "cache_write_1h_tokens": 200,
            "output_tokens": 40,
        },
    ),
    "Gemini": (
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 30,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 500,
            "toolUsePromptTokenCount": 7,
            "totalTokenCount": 627,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 60},
                {"modality": "AUDIO", "tokenCount": 40},
            ],
        },
        GEMINI,
        {
            "input_tokens": 37,
            "cached_input_tokens": 30,
            "audio_input_tokens": 40,
            "output_tokens": 20,
            "reasoning_tokens": 500,
        },
    ),
    "pictures": (
        {
            "input_tokens": 50,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            "output_tokens": 4_160,
            "total_tokens": 4_210,
        },
        OPENAI_IMAGES,
        {"input_tokens": 10, "image_input_tokens": 40, "image_output_tokens": 4_160},
    ),
    "embeddings": (
        {"prompt_tokens": 8, "total_tokens": 8},
        OPENAI,
        {"input_tokens": 8},
    ),
}


@pytest.mark.parametrize(("report", "dialect", "billed"), REPORTS.values(), ids=REPORTS.keys())
def test_each_providers_report_bills_each_token_once(
    report: dict[str, Any], dialect: Dialect, billed: dict[str, int]
) -> None:
    assert quantities(report, dialect) == billed


@pytest.mark.parametrize(
    ("member", "value", "billed"),
    [
        ("prompt_tokens", 50.0, {"input_tokens": 50, "output_tokens": 20}),
        ("prompt_tokens", "50", {"input_tokens": 50, "output_tokens": 20}),
        ("completion_tokens", None, {"input_tokens": 50, "output_tokens": 20}),
        ("prompt_tokens_details", "x", {"input_tokens": 50, "output_tokens": 20}),
        (
            "prompt_tokens_details",
            {"cached_tokens": [1]},
            {"input_tokens": 50, "output_tokens": 20},
        ),
        ("completion_tokens_details", None, {"input_tokens": 50, "output_tokens": 20}),
        ("total_tokens", None, {"input_tokens": 50, "output_tokens": 20}),
        ("total_tokens", 3, {"input_tokens": 50, "output_tokens": 20}),
    ],
)
def test_a_report_is_read_member_by_member(
    member: str, value: object, billed: dict[str, int]
) -> None:
    report = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
    assert quantities({**report, member: value}) == billed


@pytest.mark.parametrize(
    "report",
    [None, [], "x", 5, {}, {"prompt_tokens": None}, {"prompt_tokens": "many"}]
    + [{"prompt_tokens": value} for value in (True, -1, 1.5, "1.5", "٣", "-4", float("nan"))],
)
def test_what_is_no_report_is_none(report: object) -> None:
    assert read_usage(report) is None


def test_an_explicit_zero_is_a_report() -> None:
    assert read_usage({"prompt_tokens": 0, "completion_tokens": 0}) == Usage(0, 0)


def test_a_later_lower_report_undoes_no_higher_one() -> None:
    report = read_usage({"prompt_tokens": 10, "completion_tokens": 3})
    empty = read_usage({"prompt_tokens": 0, "completion_tokens": 0})
    assert merged(report, empty) == report
    assert merged(None, report) == merged(report, None) == report
    assert merged(None, None) is None


def test_reports_of_parts_of_a_stream_make_up_one() -> None:
    """Anthropic's stream tells the prompt at its start and the completion at its end."""
    start = read_usage(
        {"input_tokens": 5, "cache_read_input_tokens": 90, "output_tokens": 1}, ANTHROPIC
    )
    end = read_usage({"output_tokens": 40}, ANTHROPIC)
    usage = merged(start, end)
    assert usage == Usage(95, 40, cached=90)


def test_cached_tokens_that_are_told_late_count_once() -> None:
    first = read_usage({"prompt_tokens": 10, "completion_tokens": 1})
    later = read_usage(
        {"prompt_tokens": 10, "completion_tokens": 2}
        | {"prompt_tokens_details": {"cached_tokens": 6}}
    )
    usage = merged(first, later)
    assert usage is not None
    assert sum(usage.quantities().values()) == 1 + 12


def test_what_can_not_be_true_is_set_aside() -> None:
    usage = Usage(9 * 10**18, 20)
    assert usage.within(prompt=128_000, completion=4_096) == Usage(None, 20)
    assert Usage(50, 100_000).within(prompt=2_048, completion=256) == Usage(50, None)
    assert Usage(2_048, 256).within(prompt=2_048, completion=256) == Usage(2_048, 256)
    assert Usage(None, 20).filled(prompt=7, completion=9) == Usage(7, 20)


counts = st.integers(0, 10**6)
usages = st.builds(Usage, st.none() | counts, st.none() | counts, *[counts] * 8)


@given(usages)
def test_the_meters_sum_to_the_wholes(usage: Usage) -> None:
    total = sum(usage.quantities().values())
    assert total == 1 + (usage.prompt or 0) + (usage.completion or 0)


@given(usages, usages, usages)
def test_the_order_and_the_number_of_reports_is_of_no_matter(
    first: Usage, second: Usage, third: Usage
) -> None:
    assert first.merged(second) == second.merged(first)
    assert first.merged(second).merged(third) == first.merged(second.merged(third))
    assert first.merged(first) == first


odd_values = st.one_of(
    st.sampled_from([None, True, "x", "7", -1, 1.5, float("inf"), [], [None], [{}]]),
    counts,
    st.builds(lambda count: {"cached_tokens": count, "reasoning_tokens": [count]}, counts),
    st.builds(lambda count: [{"modality": "AUDIO", "tokenCount": count}], counts),
)
NAMES = [
    *("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"),
    *("input_tokens", "output_tokens", "cache_creation", "cache_read_input_tokens"),
    *("promptTokenCount", "promptTokensDetails", "totalTokenCount"),
]


@given(
    st.dictionaries(st.sampled_from(NAMES), odd_values),
    st.sampled_from([OPENAI, ANTHROPIC, GEMINI]),
)
def test_no_report_is_too_odd(report: dict[str, Any], dialect: Dialect) -> None:
    usage = read_usage(report, dialect)
    assert usage is None or all(quantity > 0 for quantity in usage.quantities().values())
